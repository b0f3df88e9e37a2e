"""Calls to a vendor for one order: they end with its deadline, and are counted for its outcome."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from moderato.records import OutcomeState
from moderato.vendor import Refused, Request, Rule, Throttled, VendorError
from sinks.enforce.executor import Result


@dataclass(slots=True)
class Tries:
    """`until`: the deadline on the event loop's clock."""

    until: float
    made: int = 0

    def of(self, rule: Rule) -> Rule:
        """The rule, with no more patience than there is time."""
        return replace(rule, patience=self.left())

    def left(self) -> float:
        """Seconds."""
        return max(0.0, self.until - asyncio.get_running_loop().time())

    def counted(self, request: Callable[[int], Request]) -> Callable[[int], Request]:
        """The same requests; each that is made counts."""

        def made(attempt: int) -> Request:
            self.made += 1
            return request(attempt)

        return made


def failed(error: VendorError, tries: Tries) -> Result:
    """What an order has come to. A refusal is an answer; without one, others will fail as well."""
    outage = not isinstance(error, Refused | Throttled)
    return Result(OutcomeState.FAILED, tries.made, str(error), outage=outage)

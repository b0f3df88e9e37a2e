"""Calls to one account at one vendor: rate limits, attempts by rule, and what is counted of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import aiohttp
import orjson

from moderato import metrics
from moderato.vendor.errors import Refused, Throttled, Unavailable, Unreadable, VendorError
from moderato.vendor.http import Answer, Parse, Request, exchange
from moderato.vendor.rates import Bucket, Rate, Rates

T = TypeVar("T")

_OUTCOMES: dict[type[VendorError], str] = {
    Refused: "refused",
    Throttled: "throttled",
    Unavailable: "unavailable",
    Unreadable: "unreadable",
}


@dataclass(frozen=True, slots=True)
class Rule:
    """How one operation is called. All times are seconds.

    `waits` lie before the second, third … attempt; Retry-After lengthens them. `repeatable` is False for an operation
    that must not happen twice: then an attempt of unknown outcome is the last. `patience` bounds the whole call, the
    waits for a slot of the rate limit included."""

    timeout: float = 5.0
    waits: tuple[float, ...] = (1.0, 3.0)
    repeatable: bool = True
    patience: float = 120.0
    limit: str = "all"  # operations with the same one share its bucket
    rate: Rate | None = None


class Caller:
    """For one account. `account` tells its rate limits from another's; `secrets` never show in a message."""

    def __init__(
        self,
        vendor: str,
        account: str,
        session: aiohttp.ClientSession,
        rates: Rates,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.vendor = vendor
        self._account = account
        self._session = session
        self._rates = rates
        self._secrets = tuple(secret for secret in secrets if secret)

    async def call(
        self,
        operation: str,
        rule: Rule,
        request: Callable[[int], Request],
        judge: Callable[[Answer], T],
        parse: Parse = orjson.loads,
    ) -> T:
        """Attempts until one is answered, by the rule.

        `request` makes each attempt's request from its number, beginning with 0, so that each has a fresh time, nonce
        and signature. `judge` gives the result of an answer, or raises a VendorError, which decides on another attempt.
        Raises the last attempt's VendorError."""
        clock = self._rates.clock
        until = clock() + rule.patience
        bucket = self._bucket(rule)
        attempt = 0
        while True:
            if bucket is not None:
                await self._take(operation, bucket, until)
            try:
                return await self._attempt(operation, rule, request(attempt), judge, parse, until - clock())
            except Refused:
                raise
            except VendorError as error:
                if attempt == len(rule.waits) or (error.unknown_outcome and not rule.repeatable):
                    raise
                wait = rule.waits[attempt]
                if isinstance(error, Throttled):
                    wait = max(wait, error.retry_after)
                    if bucket is not None:
                        bucket.pause(error.retry_after)
                if clock() + wait >= until:
                    raise
            attempt += 1
            await self._rates.sleep(wait)

    def _bucket(self, rule: Rule) -> Bucket | None:
        if rule.rate is None:
            return None
        return self._rates.bucket(self.vendor, self._account, rule.limit, rule.rate)

    async def _take(self, operation: str, bucket: Bucket, until: float) -> None:
        if not await bucket.take(until - self._rates.clock()):
            raise Throttled(
                self.vendor, operation, "no turn under our own rate limit within the call's patience"
            )

    async def _attempt(
        self,
        operation: str,
        rule: Rule,
        request: Request,
        judge: Callable[[Answer], T],
        parse: Parse,
        left: float,
    ) -> T:
        began = time.perf_counter()
        outcome = "cancelled"
        try:
            answer = await exchange(
                self._session,
                self.vendor,
                operation,
                request,
                timeout=min(rule.timeout, max(left, 0.001)),
                parse=parse,
            )
            result = judge(answer)
            outcome = "ok"
            return result
        except VendorError as error:
            outcome = next(name for kind, name in _OUTCOMES.items() if isinstance(error, kind))
            self._scrub(error)
            raise
        finally:
            metrics.VENDOR_CALLS.labels(self.vendor, operation, outcome).inc()
            metrics.VENDOR_SECONDS.labels(self.vendor).observe(time.perf_counter() - began)

    def _scrub(self, error: VendorError) -> None:
        """A vendor may repeat in its message what it was sent."""
        for secret in self._secrets:
            if secret in error.message:
                error.message = error.message.replace(secret, "***")
                error.args = (str(error).replace(secret, "***"),)

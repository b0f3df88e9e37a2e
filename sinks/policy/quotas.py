"""How much of each quota is used up. Pure: no clock, no I/O."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from moderato.records import Hit
from sinks.policy.brake_limits import Quota

_MOST_LANES = 10_000  # of one quota: those that were used last

_Lane: TypeAlias = tuple[str, ...]
_LetThrough: TypeAlias = OrderedDict[str, float]  # ids of actions, and when


class Usage(NamedTuple):
    """What has been let through in one lane of a quota."""

    quota: Quota
    lane: _Lane
    used: int


class Quotas:
    """The quotas of a policy; `use` puts others in their place. All times are epoch seconds."""

    def __init__(self) -> None:
        self._lanes: dict[Quota, OrderedDict[_Lane, _LetThrough]] = {}

    def use(self, quotas: Sequence[Quota]) -> None:
        """A quota that stays goes on with what it has counted; a new one begins with nothing."""
        self._lanes = {quota: self._lanes.get(quota, OrderedDict()) for quota in quotas}

    def refused(self, hit: Hit, at: float) -> str | None:
        """Why this must not be done now."""
        for quota, lane in self._concerned(hit):
            through = self._let_through(quota, lane, at)
            # What was let through before is let through again: it is the same action.
            if len(through) >= quota.at_most and hit.action_id not in through:
                of = f" of {' '.join(lane)}" if lane else ""
                return f"the quota{of}, {quota.at_most} within {quota.within:g} s, is used up"
        return None

    def take(self, hit: Hit, at: float) -> None:
        """Counts what was let through, here or elsewhere."""
        for quota, lane in self._concerned(hit):
            through = self._let_through(quota, lane, at)
            through.setdefault(hit.action_id, at)
            if len(through) > quota.at_most:
                through.popitem(last=False)

    def usage(self, at: float) -> Iterator[Usage]:
        """Every lane in which something was let through."""
        for quota, lanes in self._lanes.items():
            for lane in list(lanes):
                if through := self._let_through(quota, lane, at):
                    yield Usage(quota, lane, len(through))

    def _concerned(self, hit: Hit) -> Iterator[tuple[Quota, _Lane]]:
        for quota in self._lanes:
            if quota.concerns(hit.rule, hit.tenant, hit.type):
                yield quota, quota.lane(hit.rule, hit.tenant, hit.type)

    def _let_through(self, quota: Quota, lane: _Lane, at: float) -> _LetThrough:
        """What counts at this time."""
        lanes = self._lanes[quota]
        through = lanes.setdefault(lane, OrderedDict())
        lanes.move_to_end(lane)
        if len(lanes) > _MOST_LANES:
            lanes.popitem(last=False)
        oldest = at - quota.within
        while through and next(iter(through.values())) <= oldest:
            through.popitem(last=False)
        return through

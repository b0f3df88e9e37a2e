"""Decides whether what the rules demand may be done now: quotas, trip switches, and the brakes that people pull.

Every process of the policy has one. Tallies tell it what the others let through and what they see, so that all of them
together keep a quota, but for what is let through while a tally is on its way. No clock, no I/O.

What is braked is an action all the same, with the reason in `braked`; a person is asked to look at it instead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeAlias

import orjson

from moderato.records import Action, ActionType, Brake, Hit, Tally
from moderato.times import epoch, rfc3339
from sinks.policy.brake_limits import HITTING
from sinks.policy.quotas import Quotas, Usage
from sinks.policy.rules import Policy
from sinks.policy.trips import Trips

ALL = "*"
"""Every tenant, or every rule."""
SWITCH = "the trip switch"
"""Who has pulled a brake that no person has."""
_PERIOD = 5.0  # seconds between two tallies of what is active

Place: TypeAlias = tuple[str, str]
"""Of a brake: the tenant and the rule, either of them `ALL`."""


class Brakes:
    """`process` is a name that no other process of the policy has. Times are epoch seconds."""

    def __init__(self, process: str = "") -> None:
        self._process = process
        self.pulled: dict[Place, Brake] = {}
        """The brakes that hold."""
        self._policy: Policy | None = None
        self._limited = False
        self._quotas = Quotas()
        self._trips = Trips()
        self._hits: list[Hit] = []
        self._tripped: list[Brake] = []
        self._told = 0.0

    def use(self, policy: Policy) -> None:
        """Keeps to the limits of this policy from now on. What they have in common is counted on."""
        if policy is not self._policy:
            self._policy = policy
            self._limited = bool(policy.limits.quotas or policy.limits.trips)
            self._quotas.use(policy.limits.quotas)
            self._trips.use(policy.limits.trips)

    def see(self, verdict: dict[str, Any], at: float) -> None:
        """A verdict, whatever was decided."""
        self._trips.see(verdict, at)

    def applied(self, actions: Sequence[Action], at: float) -> list[Action]:
        """The actions of one verdict, each braked or not, and besides a review for each rule and target that is
        kept from hitting somebody."""
        if not (self.pulled or self._limited):
            return list(actions)
        found = [self._applied(action, at) for action in actions]
        asked = {_question(action) for action in found if action.type == ActionType.REVIEW}
        for action in tuple(found):
            if action.braked and action.type in HITTING and _question(action) not in asked:
                asked.add(_question(action))
                found.append(_review(action))
        return found

    def news(self, at: float) -> tuple[Tally | None, list[Brake]]:
        """What the other processes have to know since the last time, and the brakes that were pulled since."""
        active = []
        if at - self._told >= _PERIOD:
            active = list(self._trips.active(at))
            self._told = at
        tally = None
        if self._hits or active:
            tally = Tally(self._process, rfc3339(at) or "", tuple(self._hits), tuple(active))
        tripped = self._tripped
        self._hits, self._tripped = [], []
        return tally, tripped

    def take_tally(self, tally: Tally) -> None:
        """What a process has let through and sees; this one's own is known already."""
        at = epoch(tally.at)
        if at is None or tally.process == self._process:
            return
        for hit in tally.hits:
            self._quotas.take(hit, at)
            self._trips.take(hit, at)
        if tally.active:
            self._trips.elsewhere(tally.process, tally.active, at)

    def take_brake(self, brake: Brake) -> None:
        """A brake that was pulled or released, by a person or by a trip switch."""
        place = brake.tenant, brake.rule
        if brake.pulled:
            self.pulled[place] = brake
        elif self.pulled.pop(place, None):
            self._trips.forget(*(None if each == ALL else each for each in place))

    def usage(self, at: float) -> Iterator[Usage]:
        """How much of each quota is used up."""
        return self._quotas.usage(at)

    def _applied(self, action: Action, at: float) -> Action:
        if action.mode != "enforce" or _too_late(action, at):
            return action
        hit = Hit(action.id, action.rule.id, action.tenant, action.type, action.room, action.user)
        if reason := self._held(hit) or self._quotas.refused(hit, at) or self._tripping(hit, at):
            return replace(action, braked=reason)
        if self._limited:
            self._quotas.take(hit, at)
            self._hits.append(hit)
        return action

    def _held(self, hit: Hit) -> str | None:
        if self.pulled and hit.type in HITTING:
            for place in ((hit.tenant, hit.rule), (hit.tenant, ALL), (ALL, hit.rule), (ALL, ALL)):
                if brake := self.pulled.get(place):
                    return f"stopped by {brake.by} at {brake.at}: {brake.reason}"
        return None

    def _tripping(self, hit: Hit, at: float) -> str | None:
        self._trips.take(hit, at)
        if reason := self._trips.tripping(hit, at):
            brake = Brake(hit.tenant, hit.rule, True, reason, SWITCH, rfc3339(at) or "")
            self.take_brake(brake)
            self._tripped.append(brake)
            return self._held(hit)
        return None


def _too_late(action: Action, at: float) -> bool:
    """Whether nobody will carry it out in any case: then it uses up nothing."""
    expires = None if action.expires_at is None else epoch(action.expires_at)
    return expires is not None and expires <= at


def _question(action: Action) -> tuple[str, str, str]:
    """What a review of it asks: one is enough."""
    return action.rule.id, action.target.kind, action.target.id


def _review(action: Action) -> Action:
    parts = [action.id, "braked"]
    return replace(
        action,
        id=f"act_{blake2b(orjson.dumps(parts), digest_size=16).hexdigest()}",
        type=ActionType.REVIEW,
        duration=None,
        message=f"{action.type} was not done: {action.braked}"[:500],
        expires_at=None,
        braked=None,
    )

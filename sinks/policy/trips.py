"""What share of the active rooms or users each rule has hit. Pure: no clock, no I/O.

Each process of the policy sees other rooms, and tells how many; a room that goes over to another process is counted
twice for a while, and a user in two rooms twice: then a rule trips later, never earlier.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from moderato.records import Active, Hit
from sinks.events import text_in
from sinks.policy.brake_limits import Of, Trip
from sinks.policy.distinct import Distinct


class Trips:
    """The trip switches of a policy; `use` puts others in their place. All times are epoch seconds."""

    def __init__(self) -> None:
        self._trips: tuple[Trip, ...] = ()
        self._watched: frozenset[tuple[Of, float]] = frozenset()
        self._hit: dict[tuple[Trip, str, str], Distinct] = {}  # and the tenant and the rule
        self._active: dict[tuple[Of, float, str], Distinct] = {}  # and the tenant
        self._elsewhere: dict[str, tuple[float, Sequence[Active]]] = {}

    def use(self, trips: Sequence[Trip]) -> None:
        """A switch that stays goes on with what it has counted; a new one begins with nothing."""
        self._trips = tuple(trips)
        self._watched = frozenset((trip.of, trip.within) for trip in trips)
        self._hit = {key: hit for key, hit in self._hit.items() if key[0] in self._trips}
        self._active = {key: seen for key, seen in self._active.items() if key[:2] in self._watched}

    def see(self, verdict: dict[str, Any], at: float) -> None:
        """Whatever was decided: its room and its user are active."""
        for of, within in self._watched:
            if who := text_in(verdict, "room" if of == "rooms" else "user"):
                key = of, within, verdict["tenant"]
                seen = self._active.get(key)
                if seen is None:
                    seen = self._active[key] = Distinct(within)
                seen.add(who, at)

    def take(self, hit: Hit, at: float) -> None:
        """Counts whom an action hits, here or elsewhere."""
        for trip, who in self._concerned(hit):
            key = trip, hit.tenant, hit.rule
            seen = self._hit.get(key)
            if seen is None:
                seen = self._hit[key] = Distinct(trip.within)
            seen.add(who, at)

    def tripping(self, hit: Hit, at: float) -> str | None:
        """Why the rule of an action that was taken must not go on."""
        for trip, _ in self._concerned(hit):
            number = self._hit[trip, hit.tenant, hit.rule].number(at)
            if number >= trip.at_least:
                active = max(number, self._number(trip.of, trip.within, hit.tenant, at))
                if number > trip.share * active:
                    return f"it has hit {number} of {active} {trip.of} within {trip.within:g} s"
        return None

    def forget(self, tenant: str | None, rule: str | None) -> None:
        """Counts anew for a rule that was released; None: for all of them."""
        self._hit = {
            key: hit
            for key, hit in self._hit.items()
            if not (tenant in (None, key[1]) and rule in (None, key[2]))
        }

    def active(self, at: float) -> Iterator[Active]:
        """What this process sees, for the others."""
        for (of, within, tenant), seen in list(self._active.items()):
            if number := seen.number(at):
                yield Active(tenant, of, within, number)
            else:
                del self._active[of, within, tenant]

    def elsewhere(self, process: str, active: Sequence[Active], at: float) -> None:
        """What another process sees."""
        self._elsewhere[process] = at, active

    def _number(self, of: Of, within: float, tenant: str, at: float) -> int:
        here = self._active.get((of, within, tenant))
        number = here.number(at) if here else 0
        for process, (told, active) in list(self._elsewhere.items()):
            if told <= at - max((each.within for each in active), default=0.0):
                del self._elsewhere[process]
            elif told > at - within:
                number += sum(
                    each.number
                    for each in active
                    if (each.of, each.within, each.tenant) == (of, within, tenant)
                )
        return number

    def _concerned(self, hit: Hit) -> Iterator[tuple[Trip, str]]:
        for trip in self._trips:
            who = hit.room if trip.of == "rooms" else hit.user
            if who and trip.concerns(hit.rule, hit.tenant, hit.type):
                yield trip, who

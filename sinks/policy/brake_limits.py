"""What a policy file says of its brakes: how much the rules may do before somebody has to look.

They are for a rule or a vendor gone mad, and so hold for what hits people and rooms; what reaches a moderator is held
back only where a quota names it.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from moderato.records import ActionType
from sinks.policy.fields import Demandable, Many, Model, Text, Within

HITTING: tuple[Demandable, ...] = (
    ActionType.WARN,
    ActionType.MUTE,
    ActionType.KICK,
    ActionType.BAN,
    ActionType.CLOSE_ROOM,
    ActionType.STOP_SESSION,
)
"""Actions that somebody in a room notices."""

Apart: TypeAlias = Literal["rule", "tenant", "action"]
Of: TypeAlias = Literal["rooms", "users"]


class Quota(Model):
    """At most so many actions in any stretch of `within`, counted apart by what `per` names. Without `rules`, `actions`
    or `tenants`: all rules, every action that hits somebody, all tenants."""

    at_most: Annotated[int, Field(ge=1, le=100_000)]
    within: Within
    per: Annotated[tuple[Apart, ...], Many] = ("rule", "tenant")
    rules: Annotated[tuple[Text, ...], Many] = ()
    actions: Annotated[tuple[Demandable, ...], Many] = HITTING
    tenants: Annotated[tuple[Text, ...], Many] = ()

    def concerns(self, rule: str, tenant: str, action: str) -> bool:
        """Whether such an action is counted."""
        return (
            action in self.actions
            and (not self.rules or rule in self.rules)
            and (not self.tenants or tenant in self.tenants)
        )

    def lane(self, rule: str, tenant: str, action: str) -> tuple[str, ...]:
        """What is counted apart from what is not of the same lane."""
        values: dict[Apart, str] = {"rule": rule, "tenant": tenant, "action": action}
        return tuple(values[name] for name in self.per)


class Trip(Model):
    """Trips a rule, for one tenant, that has hit more than this share of the rooms or users which were judged within
    the time, once it has hit `at_least` of them."""

    share: Annotated[float, Field(gt=0, lt=1)]
    of: Of = "rooms"
    within: Within
    at_least: Annotated[int, Field(ge=2)] = 20
    rules: Annotated[tuple[Text, ...], Many] = ()
    tenants: Annotated[tuple[Text, ...], Many] = ()

    def concerns(self, rule: str, tenant: str, action: str) -> bool:
        """Whether such an action is counted."""
        return (
            action in HITTING
            and (not self.rules or rule in self.rules)
            and (not self.tenants or tenant in self.tenants)
        )


class Limits(Model):
    """The brakes of a policy. Those that people pull and release work without any."""

    quotas: tuple[Quota, ...] = ()
    trips: tuple[Trip, ...] = ()

    @property
    def longest(self) -> float:
        """Seconds of the longest window; 0 without one."""
        windows = [quota.within for quota in self.quotas] + [trip.within for trip in self.trips]
        return max(windows, default=0.0)

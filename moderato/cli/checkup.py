"""The checks of `moderato doctor`, from the configuration to the clock."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import moderato
from moderato import topics
from moderato.bus.admin import Admin, Difference
from moderato.bus.connection import Connection
from moderato.bus.stage import group_of
from moderato.cli import roles
from moderato.cli.secret_files import readable_by_all
from moderato.errors import Fatal
from moderato.settings import PREFIX, Settings, load
from moderato.sources import Source

OK: Literal["ok"] = "ok"
WARNING: Literal["warning"] = "warning"
FAULT: Literal["fault"] = "fault"

_SKEW = 5.0  # seconds that two clocks of one installation may differ


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the check-list; `detail` has a line for each thing to say."""

    name: str
    status: Literal["ok", "warning", "fault"]
    detail: str


def checkup(config: Path | None, admin: Callable[[Connection], Admin] = Admin) -> list[Check]:
    """All checks. Without a configuration that loads there is nothing more to look at."""
    if config is None and (named := os.environ.get(f"{PREFIX}CONFIG")):
        config = Path(named)
    try:
        settings = load(config)
    except Fatal as fault:
        return [Check("configuration", FAULT, str(fault))]
    where = str(config) if config else "no file: environment variables and defaults"
    return [
        Check("configuration", OK, where),
        _callbacks(settings),
        _faults("tables", roles.table_faults(settings), "all load"),
        _faults("policy", roles.policy_faults(settings), str(settings.policy.file or "the one that ships")),
        _faults("executors", roles.executor_faults(settings), _executors(settings)),
        Check("secrets", OK, "\n".join(_secrets(settings)) or "none are set"),
        _secret_files(config, settings),
        *_kafka(settings, admin),
    ]


def _faults(name: str, faults: list[str], well: str) -> Check:
    return Check(name, FAULT, "\n".join(faults)) if faults else Check(name, OK, well)


def _callbacks(settings: Settings) -> Check:
    places = [f"{tenant}/{source}" for tenant, each in settings.tenants.items() for source in each.sources]
    if not places:
        return Check("callbacks", WARNING, "tenants: no source is configured; the receiver would not start")
    return _faults("callbacks", roles.callback_faults(settings), ", ".join(places))


def _executors(settings: Settings) -> str:
    return (
        ", ".join(
            f"{name}: {'webhook' if tenant.webhook else 'log'}" for name, tenant in settings.tenants.items()
        )
        or "log"
    )


def _secrets(settings: Settings) -> Iterator[str]:
    """The secrets that are set: their names and numbers, never their values."""
    if settings.capability_keys:
        yield f"capability_keys: {len(settings.capability_keys)}"
    if settings.kafka.sasl:
        yield "kafka.sasl.password: set"
    for name, tenant in settings.tenants.items():
        for source, configured in tenant.sources.items():
            words = ", ".join(sorted(configured.secrets)) or "none"
            yield f"tenants.{name}.sources.{source}: tokens: {len(configured.tokens)}, secrets: {words}"
        if tenant.webhook:
            yield f"tenants.{name}.webhook.secrets: {len(tenant.webhook.secrets)}"


def _secret_files(config: Path | None, settings: Settings) -> Check:
    open_files = readable_by_all(config, settings)
    if open_files:
        lines = (f"{path}: every user of this machine can read it: chmod o-r" for path in open_files)
        return Check("secret files", WARNING, "\n".join(lines))
    return Check("secret files", OK, "none can be read by every user of this machine")


def _kafka(settings: Settings, make: Callable[[Connection], Admin]) -> Iterator[Check]:
    if settings.kafka.bootstrap is None:
        yield Check(
            "kafka",
            WARNING,
            "kafka.bootstrap is not set: only `moderato run all` works, on an embedded broker",
        )
        yield _clock(None)
        return
    newest = None
    try:
        admin = make(Connection.of(settings.kafka))
        cluster = admin.cluster()
    except Fatal as fault:
        yield Check("kafka", FAULT, str(fault))
    else:
        yield Check("kafka", OK, f"{settings.kafka.bootstrap}: {cluster.brokers} broker(s) answer")
        yield _topics(admin)
        yield _permissions(admin)
        newest = _newest(admin)
    yield _clock(newest)


def _topics(admin: Admin) -> Check:
    try:
        differences = admin.differences(topics.ALL)
    except Fatal as fault:
        return Check("topics", FAULT, str(fault))
    lines = [_difference(each) for each in differences]
    if any(each.property == "topic" for each in differences):
        lines.append("missing topics are made by: moderato topics create")
    return _faults("topics", lines, f"all {len(topics.ALL)} are as they should be")


def _permissions(admin: Admin) -> Check:
    names = [topic.name for topic in topics.ALL]
    groups = [group_of(role) for role in (*roles.NAMES, "counter") if role != "receiver"]
    try:
        return _faults("permissions", admin.lacks(names, groups), "topics and groups can be used")
    except Fatal as fault:
        return Check("permissions", FAULT, str(fault))


def _difference(each: Difference) -> str:
    if each.property == "topic":
        return f"{each.topic}: {each.found}"
    return f"{each.topic}: {each.property}: {each.found}, should be {each.expected}"


def _newest(admin: Admin) -> float | None:
    try:
        return admin.newest(topics.raw(source) for source in Source)
    except Fatal:
        return None  # a second opinion on the clock that cannot be had


def _clock(newest: float | None) -> Check:
    """The brokers do not tell their time: what is compared is what was written before, here and in Kafka."""
    now = time.time()
    installed = Path(moderato.__file__).stat().st_mtime
    if now < installed:
        return Check(
            "clock", FAULT, f"{installed - now:.0f} s before the time at which Moderato was installed"
        )
    if newest is not None and newest > now + _SKEW:
        return Check("clock", FAULT, f"{newest - now:.0f} s behind the newest raw record in Kafka")
    compared = (
        "and not behind the newest raw record" if newest is not None else "no raw record to compare it with"
    )
    return Check("clock", OK, f"after the installation, {compared}")

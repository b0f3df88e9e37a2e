"""What can go wrong: one function a fault. Each is given the scene, brings the fault about and mends it, and returns
when the system has all it needs again. `scene.changed()` marks a moment from which it has to recover."""

import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from moderato import topics
from tests.faults.pipeline import ROLES, STAGES
from tests.faults.proxy import Mode
from tests.faults.wrapped import ENFORCER_POINTS, RECEIVER_POINTS, SPOOL_POINTS, STAGE_POINTS

if TYPE_CHECKING:
    from tests.faults.runs import Scene

_FROZEN = 30.0  # seconds
_OUTAGE = 60.0
_CUT = 10.0  # the time for which connections are disturbed
_REACHED = 60.0  # the time in which a process has to come to its point
_GATHERED = 4.0  # the time in which callbacks gather in the spool
_HOUR = 3600.0


@dataclass(frozen=True)
class Fault:
    """`touches` are the parts that it is about: two faults of one run have none in common. `long`: takes over half a
    minute. `brokers`: how many it needs."""

    name: str
    inject: "Callable[[Scene], None]"
    touches: frozenset[str]
    long: bool = False
    brokers: int = 1


def _signal(scene: "Scene", role: str, number: signal.Signals) -> None:
    scene.pipeline.end(role, number)
    scene.pipeline.start(role)
    scene.pipeline.wait(role)
    scene.changed()


def _point(scene: "Scene", role: str, point: str) -> None:
    """The process dies at a named point, and another takes its place."""
    pipeline = scene.pipeline
    pipeline.end(role, signal.SIGTERM)
    pipeline.start(role, ["--point", point, "--passage", str(scene.random.randint(1, 6))])
    if not pipeline.died(role, _REACHED):
        raise RuntimeError(f"{role} did not come to the point {point!r} in {_REACHED:.0f} s")
    pipeline.start(role)
    pipeline.wait(role)
    scene.changed()


def _spool_point(scene: "Scene", point: str) -> None:
    """The same while Kafka cannot be reached; for the drain's points it comes back before."""
    pipeline, drains = scene.pipeline, "not answered" not in point and "written" not in point
    # What has gathered is drained in one piece or two.
    passage = 1 if drains else scene.random.randint(1, 6)
    pipeline.end("receiver", signal.SIGTERM)
    pipeline.start("receiver", ["--point", point, "--passage", str(passage)])
    pipeline.wait("receiver", doomed=True)
    scene.disturb(Mode.RESET)
    try:
        if drains:
            time.sleep(_GATHERED)
            scene.disturb(Mode.PASS)
        if not pipeline.died("receiver", _REACHED):
            raise RuntimeError(f"the receiver did not come to the point {point!r}")
    finally:
        scene.disturb(Mode.PASS)
    pipeline.start("receiver")
    pipeline.wait("receiver")
    scene.changed()


def _broker(scene: "Scene", sign: str, whom: str) -> None:
    number = scene.controller() if whom == "controller" else scene.random.choice(list(scene.cluster.brokers))
    broker = scene.cluster.brokers[number]
    scene.changed()  # the others have to get over its death
    if sign == "SIGSTOP":
        broker.freeze()
        time.sleep(_FROZEN)
        broker.thaw()
    else:
        (broker.kill if sign == "SIGKILL" else broker.stop)()
        scene.cluster.restart(number)
    scene.changed()


def _lone_broker(scene: "Scene", sign: str) -> None:
    """The only one there is: an outage, as long as it is away."""
    broker = scene.cluster.brokers[1]
    if sign == "SIGSTOP":
        broker.freeze()
        time.sleep(_FROZEN)
        broker.thaw()
    else:
        (broker.kill if sign == "SIGKILL" else broker.stop)()
        scene.cluster.restart(1)
    scene.changed()


def _outage(scene: "Scene") -> None:
    brokers = scene.cluster.brokers
    for broker in brokers.values():
        broker.kill()
    time.sleep(_OUTAGE)
    for broker in brokers.values():
        broker.start()
    for broker in brokers.values():
        broker.wait(set(brokers))
    scene.changed()


def _connections(scene: "Scene", mode: Mode) -> None:
    scene.disturb(mode)
    time.sleep(_CUT)
    scene.disturb(Mode.PASS)
    scene.changed()


def _clock(scene: "Scene", role: str, seconds: float) -> None:
    """A role whose clock jumps while it works, and then one whose clock is right again."""
    pipeline = scene.pipeline
    pipeline.end(role, signal.SIGTERM)
    pipeline.start(role, ["--jump", str(seconds)])
    pipeline.wait(role)
    time.sleep(6.0)
    pipeline.end(role, signal.SIGTERM)
    pipeline.start(role)
    pipeline.wait(role)
    scene.changed()


def _scaled(scene: "Scene") -> None:
    """Normalizers 1 -> 4 -> 2 -> 1. Each that leaves may cost those that stay one rebalance and no more."""
    pipeline, others = scene.pipeline, ["normalizer-2", "normalizer-3", "normalizer-4"]
    for name in others:
        pipeline.start(name)
    for name in others:
        pipeline.wait(name)
    scene.quiet_group()
    for leaving in (others[1:], others[:1]):
        for name in leaving:
            before = pipeline.count("normalizer", "moderato_rebalances_total")
            pipeline.end(name, signal.SIGTERM)
            scene.quiet_group()
            cost = pipeline.count("normalizer", "moderato_rebalances_total") - before
            scene.notes.append(f"{name} left: {cost:.0f} rebalance(s)")
            if cost > 1:
                raise RuntimeError(f"{name} cost {cost:.0f} rebalances when it left")
        time.sleep(2.0)
    scene.changed()


def _poison(scene: "Scene") -> None:
    """A flood of callbacks that nobody can read, below the limit at which a stage halts, and records in the topics
    that none of our processes has written."""
    scene.driver.malformed = 0.4
    try:
        for topic in (topics.raw("shumei_audio"), topics.raw("agora_ncs"), topics.VERDICTS, topics.ACTIONS):
            scene.put_bad_records(topic)
        time.sleep(4.0)
    finally:
        scene.driver.reset()
    scene.changed()


def _full_disk(scene: "Scene") -> None:
    """Kafka cannot be reached and the spool's disk fills up: 503 until there is room again."""
    filler = scene.spool / "filler"
    scene.disturb(Mode.RESET)
    try:
        time.sleep(2.0)
        free = shutil.disk_usage(scene.spool).free
        try:
            with filler.open("wb") as file:
                for _ in range(free // 65_536 + 1):
                    file.write(bytes(65_536))
        except OSError:
            pass  # that is the point
        time.sleep(6.0)
    finally:
        filler.unlink(missing_ok=True)
        scene.disturb(Mode.PASS)
    scene.changed()


def _of(
    name: str, inject: "Callable[[Scene], None]", *touches: str, long: bool = False, brokers: int = 1
) -> Fault:
    return Fault(name, inject, frozenset(touches), long, brokers)


_NUMBERS = (signal.SIGKILL, signal.SIGTERM)
FAULTS: tuple[Fault, ...] = (
    *(
        _of(f"{number.name} {role}", partial(_signal, role=role, number=number), role)
        for role in ROLES
        for number in _NUMBERS
    ),
    *(
        _of(f"receiver dies: {point}", partial(_point, role="receiver", point=point), "receiver")
        for point in RECEIVER_POINTS
    ),
    *(
        _of(f"receiver dies: {point}", partial(_spool_point, point=point), "receiver", "network")
        for point in SPOOL_POINTS
    ),
    *(
        _of(f"{role} dies: {point}", partial(_point, role=role, point=point), role)
        for role in STAGES
        for point in STAGE_POINTS
    ),
    *(
        _of(f"enforcer dies: {point}", partial(_point, role="enforcer", point=point), "enforcer")
        for point in ENFORCER_POINTS
    ),
    *(
        _of(
            f"{sign} {whom}",
            partial(_broker, sign=sign, whom=whom),
            "brokers",
            long=sign == "SIGSTOP",
            brokers=3,
        )
        for sign in ("SIGKILL", "SIGTERM", "SIGSTOP")
        for whom in ("broker", "controller")
    ),
    *(
        _of(f"{sign} the only broker", partial(_lone_broker, sign=sign), "brokers", long=sign == "SIGSTOP")
        for sign in ("SIGKILL", "SIGTERM", "SIGSTOP")
    ),
    _of("all brokers away for 60 s", _outage, "brokers", "network", long=True),
    *(
        _of(f"connections: {mode}", partial(_connections, mode=mode), "network")
        for mode in Mode
        if mode is not Mode.PASS
    ),
    *(
        _of(f"{role}'s clock jumps by {sign}1 h", partial(_clock, role=role, seconds=seconds), role)
        for role in ROLES
        for sign, seconds in (("+", _HOUR), ("-", -_HOUR))
    ),
    _of("normalizers 1 -> 4 -> 2 -> 1", _scaled, "normalizer", long=True),
    _of("poison flood", _poison, "normalizer", "driver"),
    _of("full disk under the spool", _full_disk, "receiver", "network"),
)


def faults(brokers: int, *, disk: bool) -> tuple[Fault, ...]:
    """Those that so many brokers allow, and a spool with or without a small disk of its own."""
    return tuple(
        fault
        for fault in FAULTS
        if fault.brokers <= brokers
        and not ("only broker" in fault.name and brokers > 1)
        and (disk or fault.inject is not _full_disk)
    )

"""An evening of the simulated vendors' traffic, as verdicts: the same ones at every run. `python -m
tests.sinks.policy.evening` prints the table of what the ready policies do to it, and with `--json` the verdicts.

Saturday, 19:00 to 24:00 in Shanghai: 40 rooms, each watched by two vendors, three callbacks in two minutes a room."""

import sys
from collections import Counter
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import orjson

from ingest.callbacks import identify
from moderato.times import rfc3339
from simulator.targets import example_targets
from simulator.traffic import Mix, Shares, Traffic, make_feeds
from sinks.policy.loading import load
from sinks.policy.playing import Player
from tests.normalize.support import read_body

LIBRARY = Path(__file__).parents[3] / "docs" / "policies"
POLICIES = ("voice-room", "one-to-one-call", "live-show", "classroom")

_SEED = 20261121
_BEGIN = 1_795_258_800.0  # 2026-11-21T11:00:00Z
_SECONDS = 5 * 3600
_EVERY = 1.0  # seconds between two callbacks
_ROOMS = 40


@cache
def evening() -> tuple[bytes, ...]:
    """The verdicts as JSON, in the order in which they come in; duplicates and late ones are among them."""
    targets = example_targets()
    feeds = [
        feed
        for shift in (0, 3)  # each room has two vendors, who hear the same people
        for feed in make_feeds("http://receiver", targets[shift:] + targets[:shift], _ROOMS, _SEED)
    ]
    mix, shares = Mix(0.92, 0.04, 0.02, 0.02), Shares(malformed=0.001)
    traffic = Traffic(feeds, mix, shares, Random(_SEED))
    arrivals = []
    for turn in range(int(_SECONDS / _EVERY)):
        now = _BEGIN + turn * _EVERY
        for dispatch in traffic.next(now):
            arrivals.append((now + dispatch.delay, dispatch.callback))
    verdicts: list[bytes] = []
    for at, callback in sorted(arrivals, key=lambda arrival: arrival[0]):
        identity = identify(callback.source, callback.body, callback.content_type)
        received = rfc3339(at) or ""
        reading = read_body(
            callback.source, callback.body, callback.content_type, raw_id=identity.id, received=received
        )
        for verdict in reading.verdicts:
            verdict.normalized_at = received
            if verdict.occurred_at > verdict.received_at:
                verdict.occurred_at = verdict.received_at
            verdicts.append(orjson.dumps(verdict))
    return tuple(verdicts)


@cache
def done_by(policy: Path) -> Counter[tuple[str, str]]:
    """What a policy demands of the evening, by rule and type; a repetition has the same id and counts once."""
    player = Player(load(policy))
    demanded: dict[str, tuple[str, str]] = {}
    for text in evening():
        verdict: dict[str, Any] = orjson.loads(text)
        for action in player.play(verdict, verdict["normalized_at"]):
            demanded[action.id] = (action.rule.id, f"{action.type}{' (shadow)' * (action.mode == 'shadow')}")
    return Counter(demanded.values())


def table() -> str:
    """What each policy does, in Markdown."""
    lines = ["| policy | rule | action | how often |", "|---|---|---|---|"]
    for name in POLICIES:
        path = LIBRARY / f"{name}.yaml"
        order = {rule.id: place for place, rule in enumerate(load(path).rules)}
        for (rule, action), number in sorted(
            done_by(path).items(), key=lambda item: (order[item[0][0]], item[0][1])
        ):
            lines.append(f"| {name} | {rule} | {action} | {number:,} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table, or the verdicts as lines of JSON."""
    if sys.argv[1:] == ["--json"]:
        sys.stdout.buffer.writelines(text + b"\n" for text in evening())
        return
    verdicts = [orjson.loads(text) for text in evening()]
    print(f"{len(verdicts):,} verdicts: {dict(Counter(each['decision'] for each in verdicts))}\n")
    print(table(), end="")


if __name__ == "__main__":
    main()

"""Ready moments of every source, and readers of what is posted, written without the simulator's own code."""

import json
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from moderato.sources import Source
from simulator.callbacks import make
from simulator.callbacks.contract import Callback, Moment, Told
from simulator.rooms import Decision, make_rooms
from simulator.targets import example_targets

NOW = 1_763_712_000.0  # 2025-11-21T08:00:00Z
TASK = "38e08da8d2574df4bd2eca9b5153df72"
KINDS: tuple[tuple[Decision, bool], ...] = (
    ("pass", False),
    ("review", False),
    ("block", False),
    ("pass", True),
)
TARGETS = {target.source: target for target in example_targets()}


def moment(
    source: Source, seed: int = 0, *, decision: Decision = "pass", event: bool = False, sequence: int = 7
) -> Moment:
    random = Random(seed)
    segment = make_rooms(1, Random(0))[0].segment(3, NOW - 1, decision, random)
    return Moment(sequence, segment, event, TASK, NOW, TARGETS[source].secrets, random)


def callbacks(
    source: Source, seeds: range = range(40), *, malformed: bool = False
) -> list[tuple[Callback, Told]]:
    """Many different callbacks of a source: all decisions and events, so all of its layouts."""
    url = TARGETS[source].url("http://127.0.0.1:1")
    return [
        make(source, url, moment(source, seed, decision=decision, event=event), malformed=malformed)
        for seed in seeds
        for decision, event in KINDS
    ]


def form(body: bytes) -> dict[str, str]:
    return dict(parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))


def content(callback: Callback) -> Any:
    """The JSON inside, from the bytes on the wire."""
    if callback.source is Source.AGORA_VOICE:
        return json.loads(form(callback.body)["content"])
    if callback.source is Source.YIDUN_AUDIO:
        return json.loads(form(callback.body)["callbackData"])
    return json.loads(callback.body)

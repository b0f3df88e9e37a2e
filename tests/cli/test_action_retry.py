"""`moderato action retry` on topics with outcomes of every kind."""

from typing import Any

import orjson

from moderato import topics
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message
from moderato.codec import encode
from moderato.sources import Source
from tests.cli.history_support import publish, read
from tests.cli.support import moderato
from tests.sinks.support import NOW, action

ALL = ("--from", "beginning", "--to", "now")


def message(kind: str, topic: str, id: str, data: dict[str, Any]) -> Message:
    key = "acme/u-42"
    headers = encode(kind, id=id, source=Source.SHUMEI_AUDIO, tenant="acme", key=key, time=NOW)
    return Message(topic, key.encode(), orjson.dumps(data), headers)


def filled(address: str) -> None:
    """Actions a to e: done, failed, failed and then done, failed and expired, failed elsewhere; f is gone."""
    for name in "abcde":
        expires = {"d": "2026-01-01T00:00:00.000Z"}.get(name)
        publish(address, [message("action", topics.ACTIONS, name, action(id=name, expires_at=expires))])
    failures = [(name, "failed") for name in "bcdef"]
    for number, (name, state) in enumerate([("a", "done"), *failures, ("c", "done")]):
        outcome = {
            "action_id": name,
            "state": state,
            "tenant": "other" if name == "e" else "acme",
            "executor": "webhook",
        }
        publish(address, [message("outcome", topics.OUTCOMES, f"{name}@{number}", outcome)])


def test_what_failed_and_can_still_be_done_is_demanded_once_more(broker: EmbeddedBroker) -> None:
    filled(broker.bootstrap)
    at = ("--bootstrap", broker.bootstrap)
    tried = moderato("action", "retry", *ALL, "--dry-run", *at)
    assert tried.code == 1
    assert tried.lines == [
        "2 actions would be demanded once more (dry run: nothing was published); 1 have expired"
    ]
    assert tried.err == "1 are not there any more\n"
    assert len(read(broker.bootstrap, topics.ACTIONS, 5)) == 5
    done = moderato("action", "retry", *ALL, "--tenant", "acme", "--executor", "webhook", *at)
    assert done.lines == ["1 actions were demanded once more; 1 have expired"]
    ids = sorted(orjson.loads(record.value)["id"] for record in read(broker.bootstrap, topics.ACTIONS, 6))
    assert ids == ["a", "b", "b", "c", "d", "e"]


def test_nothing_has_failed(broker: EmbeddedBroker) -> None:
    ended = moderato("action", "retry", *ALL, "--bootstrap", broker.bootstrap)
    assert (ended.code, ended.lines) == (0, ["0 actions were demanded once more; 0 have expired"])

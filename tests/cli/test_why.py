"""`moderato why` on topics that the pipeline's own stages have filled."""

import asyncio
import base64
from typing import Any

import orjson
import pytest

from moderato import codec, topics
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message
from moderato.sources import Source
from normalize.worker import Normalizer
from sinks.enforce.registry import Routes
from sinks.enforce.worker import Enforcer
from sinks.policy.brakes import Brakes
from sinks.policy.evaluate import Evaluator
from sinks.policy.loading import BUILT_IN, load
from sinks.policy.results import action_message
from sinks.policy.windows import Windows
from sinks.policy.worker import PolicyWorker
from tests.cli.history_support import publish, raw, read
from tests.cli.support import FIXTURES, moderato
from tests.sinks.enforce.support import nothing
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import NOW, verdict

POLICY = Evaluator(load(BUILT_IN))
BODY = (FIXTURES / "shumei_audio" / "built_v4_nested_reject_politics.json").read_bytes()


async def _carried_out(actions: list[Any]) -> list[Message]:
    routes = Routes()
    await routes.open({})
    try:
        return (await Enforcer(routes.of, nothing).handle(actions)).messages
    finally:
        await routes.close()


def _of(messages: list[Message], topic: str) -> list[Message]:
    return [message for message in messages if message.topic == topic]


@pytest.fixture
def filled(broker: EmbeddedBroker) -> tuple[str, dict[str, Any]]:
    """The brokers' address, and the first action of one callback that went through all stages."""
    address = broker.bootstrap
    publish(address, [raw(Source.SHUMEI_AUDIO, 1, BODY)])
    made = asyncio.run(Normalizer({}).handle(read(address, topics.raw(Source.SHUMEI_AUDIO), 1)))
    verdicts = _of(made.messages, topics.VERDICTS)
    publish(address, verdicts)
    judged = PolicyWorker(lambda: POLICY, Brakes())
    demanded = asyncio.run(judged.handle(read(address, topics.VERDICTS, len(verdicts)))).messages
    publish(address, actions := _of(demanded, topics.ACTIONS))
    outcomes = asyncio.run(_carried_out(read(address, topics.ACTIONS, len(actions))))
    publish(address, outcomes)
    return address, orjson.loads(actions[0].value or b"")


def test_the_chain_from_the_callback_to_the_outcome(filled: tuple[str, dict[str, Any]]) -> None:
    address, action = filled
    ended = moderato("why", action["id"], "--bootstrap", address)
    assert (ended.code, ended.err) == (0, "")
    parts = [line for line in ended.lines if line[:2] in ("1.", "2.", "3.", "4.")]
    assert parts[0] == "1. callback  shumei_audio"
    assert parts[1] == "2. verdict  block -> politics -> critical"
    assert parts[2].startswith(f"3. action  {action['type']} {action['target']['kind']} ")
    assert parts[3].startswith("4. outcome  ")
    assert f"{action['rule']['id']}, in the policy with the hash {action['rule']['version']}" in ended.out
    assert action["verdict"]["id"] in ended.out
    assert '"requestId"' in ended.out  # the vendor's own words


def test_the_same_for_machines(filled: tuple[str, dict[str, Any]]) -> None:
    address, action = filled
    ended = moderato("why", action["id"], "--json", "--bootstrap", address)
    found = orjson.loads(ended.out)
    assert found["action"]["id"] == action["id"]
    assert found["verdict"]["severity"] == "critical"
    assert [outcome["action_id"] for outcome in found["outcomes"]] == [action["id"]]
    assert base64.b64decode(found["raw"]["body_b64"]) == BODY


def test_an_action_that_was_demanded_twice_and_has_no_outcome_yet(broker: EmbeddedBroker) -> None:
    publish(broker.bootstrap, [raw(Source.SHUMEI_AUDIO, 1, BODY)])
    made = asyncio.run(Normalizer({}).handle(read(broker.bootstrap, topics.raw(Source.SHUMEI_AUDIO), 1)))
    publish(broker.bootstrap, verdicts := _of(made.messages, topics.VERDICTS))
    judged = PolicyWorker(lambda: POLICY, Brakes())
    records = read(broker.bootstrap, topics.VERDICTS, len(verdicts))
    actions = _of(asyncio.run(judged.handle(records)).messages, topics.ACTIONS)
    publish(broker.bootstrap, [actions[0], actions[0]])
    action = orjson.loads(actions[0].value or b"")
    ended = moderato("why", action["id"], "--bootstrap", broker.bootstrap)
    assert "2 times, with the same id" in ended.out
    assert "4. outcome  none yet" in ended.out


def test_a_counted_action_comes_with_what_was_counted(broker: EmbeddedBroker) -> None:
    rules = policy(rule("thrice", {"decision": "block"}, "mute", count={"at_least": 3, "within": "10m"}))
    evaluator = Evaluator(rules)
    publish(broker.bootstrap, [raw(Source.SHUMEI_AUDIO, 1, BODY)])
    place = {"topic": topics.raw(Source.SHUMEI_AUDIO), "partition": 0, "offset": 0, "id": "shumei_audio-1"}
    windows, strikes, actions = Windows(10), [], []
    for number in range(4):
        data = verdict(id=f"v-{number}#0", raw=place)
        actions += evaluator.count(data, "acme/u-42", windows, NOW)
        headers = codec.encode(
            "strike", id=data["id"], source=Source.SHUMEI_AUDIO, tenant="acme", key="acme/u-42", time=NOW
        )
        strikes.append(Message(topics.STRIKES, b"acme/u-42", orjson.dumps(data), headers))
    publish(broker.bootstrap, [*strikes, action_message(actions[0], None)])
    ended = moderato("why", actions[0].id, "--bootstrap", broker.bootstrap)
    assert (ended.code, ended.err) == (0, "")
    assert "counted: number 3 of acme/u-42" in ended.out
    assert [f"v-{number}#0" in ended.out for number in range(4)] == [True, True, True, False]


def test_an_action_that_is_not_there(broker: EmbeddedBroker) -> None:
    ended = moderato("why", "act_nobody", "--bootstrap", broker.bootstrap)
    assert ended.code == 1
    assert ended.err.strip() == "moderato: no action act_nobody in moderation.actions in that time"


def test_brokers_that_are_not_there() -> None:
    ended = moderato("why", "act_1", "--bootstrap", "127.0.0.1:1")
    assert ended.code == 2
    assert "Traceback" not in ended.err

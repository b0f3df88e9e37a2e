"""What people demand over the API, and what they are told about it."""

import base64
import secrets
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.embedded import EmbeddedBroker
from moderato.bus.publisher import Message, Publisher
from moderato.codec import encode
from moderato.records import Action
from moderato.settings import Kafka
from moderato.sources import Source
from moderato.times import epoch, now
from sinks.enforce.registry import Executor
from sinks.enforce.worker import Enforcer
from sinks.policy.brakes import Brakes
from sinks.policy.counter import Counter
from sinks.policy.evaluate import Evaluator
from sinks.policy.worker import PolicyWorker
from tests.moderato.bus.support import read_until
from tests.sinks.actions.support import OTHER, READER, Api, serving
from tests.sinks.enforce.support import nothing
from tests.sinks.enforce.test_worker import DONE, Hands
from tests.sinks.policy.support import policy, rule
from tests.sinks.support import record_of, verdict

BAN: dict[str, Any] = {
    "type": "ban",
    "target": {"kind": "user", "id": "4711"},
    "source": "agora_voice",
    "tenant": "acme",
    "room": "lounge-7",
    "duration": 3600,
    "message": "Banned by the night shift.",
}


@pytest.fixture
async def api(connection: Connection) -> AsyncIterator[Api]:
    async with serving(connection) as running:
        yield running


async def publish(connection: Connection, *messages: Message) -> None:
    publisher = Publisher(connection, deadline=10.0)
    await publisher.start({message.topic for message in messages})
    await publisher.publish_all(list(messages))
    await publisher.stop()


async def written(connection: Connection, id: str) -> list[dict[str, Any]]:
    """An action as it is in Kafka, once for every time."""
    records = await read_until(
        connection, topics.ACTIONS, lambda found: any(_id(record) == id for record in found)
    )
    return [orjson.loads(record.value or b"") for record in records if _id(record) == id]


def _id(record: Any) -> str:
    return dict(record.headers)["ce_id"].decode()


async def test_a_person_bans_somebody_and_takes_it_back(api: Api, connection: Connection) -> None:
    with capture_logs() as logs:
        status, action, headers = await api.call("POST", "/v1/actions", BAN)
    assert status == 202
    assert headers["Location"] == f"/v1/actions/{action['id']}"
    assert [(entry["event"], entry["by"], entry["what"]) for entry in logs] == [
        ("action_asked", "writer", "ban")
    ]
    assert await written(connection, action["id"]) == [action]
    assert {
        name: action[name] for name in ("type", "tenant", "room", "user", "duration", "requested_by")
    } == {
        "type": "ban",
        "tenant": "acme",
        "room": "lounge-7",
        "user": "4711",
        "duration": 3600.0,
        "requested_by": "writer",
    }
    assert (epoch(action["expires_at"]) or 0) - (epoch(action["created_at"]) or 0) == 300
    status, lift, _ = await api.call("POST", f"/v1/actions/{action['id']}/undo")
    assert status == 202
    assert (lift["type"], lift["undoes"], lift["lifts"]) == ("lift", action["id"], "ban")
    assert (lift["target"], lift["room"], lift["source"]) == (action["target"], "lounge-7", "agora_voice")
    again = await api.call("POST", f"/v1/actions/{action['id']}/undo")
    assert again[1]["id"] == lift["id"]
    status, problem, _ = await api.call("POST", f"/v1/actions/{lift['id']}/undo")
    assert (status, problem["type"]) == (409, "urn:moderato:problem:not_undoable")
    assert problem["detail"] == "lift cannot be taken back, only: mute, kick, ban, close_room"
    found = (await api.call("GET", f"/v1/actions/{lift['id']}"))[1]
    assert found["demanded"] == 2
    assert (found["verdict"], found["raw"], found["outcomes"]) == (None, None, [])


async def test_an_idempotency_key_and_the_same_body_are_one_action(api: Api) -> None:
    key = secrets.token_hex(8)
    one = (await api.call("POST", "/v1/actions", BAN, Idempotency_Key=key))[1]
    again = (await api.call("POST", "/v1/actions", BAN, Idempotency_Key=key))[1]
    other = (await api.call("POST", "/v1/actions", BAN | {"duration": 60}, Idempotency_Key=key))[1]
    unnamed = [(await api.call("POST", "/v1/actions", BAN))[1] for _ in range(2)]
    assert one["id"] == again["id"]
    assert len({each["id"] for each in (one, other, *unnamed)}) == 4
    assert (await api.call("POST", "/v1/actions", BAN, Idempotency_Key="k 1"))[0] == 422


async def test_every_fault_is_told_with_its_place(api: Api) -> None:
    wrong = {
        "type": "lift",
        "target": {"kind": "usr", "id": "", "more": 1},
        "source": "agora",
        "duration": -1,
        "max_age": 1e9,
        "message": "",
        "surprise": True,
    }
    assert (await api.faults(wrong)).keys() == {
        "/type",
        "/target/kind",
        "/target/id",
        "/target/more",
        "/source",
        "/duration",
        "/max_age",
        "/message",
        "/surprise",
        "/tenant",
    }
    close = BAN | {"type": "close_room", "target": {"kind": "user", "id": "4711"}}
    assert await api.faults(close) == {
        "/target/kind": "close_room cannot hit a user, only: room",
        "/duration": "close_room has no duration, only: mute, kick, ban",
    }
    stop = {"type": "stop_session", "target": {"kind": "session", "id": "s-1"}, "session_id": "s-2"}
    assert await api.faults(BAN | stop | {"duration": 5}) == {
        "/session_id": "it is another one than the target",
        "/duration": "stop_session has no duration, only: mute, kick, ban",
    }
    assert await api.faults(BAN | {"tenant": "nobody"}) == {"/tenant": "no such tenant"}


async def test_a_token_may_do_what_its_scopes_and_tenants_allow(api: Api) -> None:
    action = (await api.call("POST", "/v1/actions", BAN))[1]
    path = f"/v1/actions/{action['id']}"
    assert (await api.call("POST", "/v1/actions", BAN, token=READER))[0] == 403
    assert (await api.call("GET", path, token=READER))[0] == 200
    assert (await api.call("POST", f"{path}/undo", token=READER))[0] == 403
    assert (await api.call("GET", path, token=OTHER))[0] == 404
    assert (await api.call("POST", f"{path}/undo", token=OTHER))[0] == 404
    assert (await api.call("POST", "/v1/actions", BAN, token=OTHER))[0] == 422
    assert (await api.call("GET", path, token=None))[0] == 401


async def test_what_is_not_there_or_was_long_ago(api: Api) -> None:
    assert (await api.call("GET", "/v1/actions/act_nobody?within=1h"))[0] == 404
    assert (await api.call("POST", "/v1/actions/act_nobody/undo"))[0] == 404
    status, problem, _ = await api.call("GET", "/v1/actions/act_nobody?within=soon")
    assert (status, problem["errors"][0]["path"]) == (422, "within")


COUNTING = Evaluator(
    policy(rule("thrice", {"decision": "block"}, "kick", count={"at_least": 3, "within": "10m"}))
)


async def no_past(*_: Any) -> Any:
    raise AssertionError("nothing is made anew")


async def test_the_chain_of_a_counted_action_has_its_callback_its_strikes_and_its_outcome(
    api: Api, connection: Connection
) -> None:
    user, at = f"u-{secrets.token_hex(6)}", now()
    body = b'{"requestId": "r"}'
    key = f"acme/{user}"
    raw_topic = topics.raw(Source.SHUMEI_AUDIO)
    raw_headers = encode("raw", id=user, source=Source.SHUMEI_AUDIO, tenant="acme", key=key, time=at)
    await publish(connection, Message(raw_topic, key.encode(), body, raw_headers))
    [raw] = [
        record
        for record in await read_until(
            connection, raw_topic, lambda found: any(record.key == key.encode() for record in found)
        )
        if record.key == key.encode()
    ]
    place = {"topic": raw_topic, "partition": raw.partition, "offset": raw.offset, "id": user}
    verdicts = []
    for number in range(3):
        data = verdict(
            id=f"{user}-{number}#0", user=user, occurred_at=at, normalized_at=at, received_at=at, raw=place
        )
        headers = encode(
            "verdict", id=data["id"], source=Source.SHUMEI_AUDIO, tenant="acme", key=key, time=at
        )
        verdicts.append(record_of(Message(topics.VERDICTS, key.encode(), orjson.dumps(data), headers)))
    strikes = (await PolicyWorker(lambda: COUNTING, Brakes()).handle(verdicts)).messages
    counter = Counter(lambda: COUNTING, no_past, Brakes())
    demanded: list[Message] = []
    for offset, strike in enumerate(strikes):
        demanded += (await counter.handle([record_of(strike, offset=offset)])).messages
    [kick] = demanded
    hands = Hands(DONE)
    enforcer = Enforcer(lambda _: Executor("webhook", hands.execute), nothing)
    outcomes = (await enforcer.handle([record_of(kick)])).messages
    await publish(connection, *strikes, kick, *outcomes)
    action = orjson.loads(kick.value or b"")
    assert action["counted"] == {"number": 3, "subject": key}
    status, found, _ = await api.call("GET", f"/v1/actions/{action['id']}")
    assert status == 200
    assert found["action"] == {name: value for name, value in action.items() if name != "verdict"}
    assert found["verdict"]["id"] == f"{user}-2#0"
    assert [each["id"] for each in found["strikes"]] == [f"{user}-{number}#0" for number in range(3)]
    assert [(each["state"], each["executor"]) for each in found["outcomes"]] == [("done", "webhook")]
    assert base64.b64decode(found["raw"]["body_b64"]) == body


def test_an_action_of_a_person_is_an_action() -> None:
    assert {"requested_by", "undoes", "lifts", "counted", "braked"} <= set(Action.__dataclass_fields__)


async def test_kafka_that_does_not_answer_is_a_503(broker: EmbeddedBroker) -> None:
    async with serving(broker.connection(Kafka(request_timeout=1.0))) as api:
        broker.stop()
        status, problem, headers = await api.call("POST", "/v1/actions", BAN)
        assert (status, problem["title"]) == (503, "Unavailable")
        assert headers["Retry-After"] == "5"
        assert (await api.call("GET", "/v1/actions/act_1"))[0] == 503

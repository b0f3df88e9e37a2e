import base64
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

import aiohttp
import pytest
from standardwebhooks import Webhook

from moderato.cli.demo_webhook import Endpoint, verify

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(32)).decode()
BODY = '{"type":"moderation.action.kick"}'
NOW = 1_795_248_000


def signed(secret: str = SECRET, id: str = "act_1", at: float = NOW, body: str = BODY) -> dict[str, str]:
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": Webhook(secret).sign(id, datetime.fromtimestamp(at, UTC), body),
    }


def test_what_the_specifications_own_library_signs_is_believed() -> None:
    assert verify(SECRET, signed(), BODY.encode(), NOW)


def test_one_good_signature_among_several_is_enough_while_a_secret_is_rotated() -> None:
    headers = signed()
    headers["webhook-signature"] = f"{signed(OTHER)['webhook-signature']} {headers['webhook-signature']}"
    assert verify(SECRET, headers, BODY.encode(), NOW)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param({}, BODY, id="no headers"),
        pytest.param(signed(OTHER), BODY, id="another secret"),
        pytest.param(signed(), BODY + " ", id="another body"),
        pytest.param(signed() | {"webhook-id": "act_2"}, BODY, id="another id"),
        pytest.param(signed(at=NOW - 301), BODY, id="too old"),
        pytest.param(signed(at=NOW + 301), BODY, id="from the future"),
        pytest.param(signed() | {"webhook-timestamp": "soon"}, BODY, id="no time"),
        pytest.param(signed() | {"webhook-timestamp": "²"}, BODY, id="a digit that is no number"),
        pytest.param(signed() | {"webhook-timestamp": "9" * 5000}, BODY, id="a time beyond all times"),
        pytest.param(signed() | {"webhook-id": "\udcff"}, BODY, id="an id that is no text"),
        pytest.param(signed() | {"webhook-signature": "v1,ÿ\udcff"}, BODY, id="bytes that are no text"),
    ],
)
def test_anything_else_is_not_believed(headers: Mapping[str, str], body: str) -> None:
    assert not verify(SECRET, headers, body.encode(), NOW)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    listening = Endpoint()
    await listening.start()
    yield listening
    await listening.stop()


async def test_the_endpoint_counts_messages_and_not_their_repetitions(endpoint: Endpoint) -> None:
    now = datetime.now(UTC).timestamp()
    answers = []
    async with aiohttp.ClientSession() as session:
        for headers in (
            signed(endpoint.secret, at=now),
            signed(endpoint.secret, at=now),
            signed(endpoint.secret, "act_2", at=now),
            signed(OTHER, "act_3", at=now),
        ):
            async with session.post(endpoint.url, data=BODY, headers=headers) as response:
                answers.append(response.status)
    assert answers == [204, 204, 204, 401]
    assert (endpoint.accepted, endpoint.repeated, endpoint.refused) == (2, 1, 1)

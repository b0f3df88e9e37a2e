import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from sinks.enforce.signature import headers, signing_key

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = b'{"test": 2432232314}'
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", [SECRET, f"whsec_{SECRET}"])
def test_the_known_answer_of_standard_webhooks(secret: str) -> None:
    assert headers([signing_key(secret)], ID, 1614265330, BODY) == {
        "webhook-id": ID,
        "webhook-timestamp": "1614265330",
        "webhook-signature": SIGNATURE,
    }


def test_while_secrets_rotate_each_has_its_signature() -> None:
    other = base64.b64encode(b"x" * 24).decode()
    made = headers([signing_key(other), signing_key(SECRET)], ID, 1614265330, BODY)["webhook-signature"]
    assert len(made.split(" ")) == 2
    assert made.endswith(f" {SIGNATURE}")


@pytest.mark.parametrize("secret", ["A" * 33, "whsec_A", "not base64!"])
def test_a_secret_that_is_not_base64_is_refused(secret: str) -> None:
    with pytest.raises(ValueError, match="the secret is not base64"):
        signing_key(secret)


@given(st.binary(min_size=24, max_size=64), st.booleans(), st.booleans())
def test_padding_and_prefix_of_a_secret_do_not_matter(key: bytes, prefix: bool, padded: bool) -> None:
    text = base64.b64encode(key).decode()
    assert signing_key(("whsec_" if prefix else "") + (text if padded else text.rstrip("="))) == key


@given(st.binary(min_size=24, max_size=64), st.text(max_size=50))
def test_the_reference_implementation_makes_the_same_signature(key: bytes, text: str) -> None:
    moment = datetime(2026, 11, 21, 8, tzinfo=UTC)
    body = text.encode()
    expected = Webhook(base64.b64encode(key).decode()).sign("id-1", moment, text)
    assert headers([key], "id-1", int(moment.timestamp()), body)["webhook-signature"] == expected

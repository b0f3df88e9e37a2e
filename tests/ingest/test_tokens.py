import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.refusals import Refused
from ingest.tokens import Capabilities, Capability, StaticTokens
from moderato.errors import Fatal
from moderato.sources import Source
from tests.ingest.support import KEYS

ROOM = Capability(Source.AGORA_VOICE, "default", "s-1", "房间 1", "u-9", expires=2_000)


def refusal(capabilities: Capabilities, token: str, source: Source, tenant: str, now: float) -> str:
    with pytest.raises(Refused) as caught:
        capabilities.verify(token, source, tenant, now)
    assert caught.value.code == "bad_token"
    return caught.value.detail


def test_every_static_token_of_a_rotation_is_good_and_no_other() -> None:
    tokens = StaticTokens(["a-token-of-16-or-more", "the-one-before-that-0"])
    assert tokens.match("a-token-of-16-or-more")
    assert tokens.match("the-one-before-that-0")
    assert not tokens.match("a-token-of-16-or-mor")
    assert not tokens.match("")
    assert not StaticTokens([]).match("")


@given(st.text())
def test_no_text_is_too_strange_to_be_a_wrong_token(text: str) -> None:
    assert not StaticTokens(["a-token-of-16-or-more"]).match(text)


def test_a_capability_gives_back_what_was_signed() -> None:
    capabilities = Capabilities(KEYS)
    token = capabilities.sign(ROOM)
    assert "." in token
    assert "/" not in token
    assert capabilities.verify(token, Source.AGORA_VOICE, "default", 1_999.9) == ROOM


def test_a_capability_without_room_and_user() -> None:
    capabilities = Capabilities(KEYS)
    bare = Capability(Source.YIDUN_AUDIO, "default", "s-2", None, None, 10)
    assert capabilities.verify(capabilities.sign(bare), Source.YIDUN_AUDIO, "default", 0) == bare


def test_the_first_key_signs_and_all_keys_verify() -> None:
    new, old = KEYS
    by_old = Capabilities([old]).sign(ROOM)
    assert Capabilities([new, old]).verify(by_old, ROOM.source, ROOM.tenant, 0) == ROOM
    by_both = Capabilities([new, old]).sign(ROOM)
    assert Capabilities([new]).verify(by_both, ROOM.source, ROOM.tenant, 0) == ROOM
    assert "not signed by us" in refusal(Capabilities([old]), by_both, ROOM.source, ROOM.tenant, 0)


def test_a_capability_ends_with_its_time_also_once_it_is_remembered() -> None:
    capabilities = Capabilities(KEYS)
    token = capabilities.sign(ROOM)
    capabilities.verify(token, ROOM.source, ROOM.tenant, 0)
    assert "expired" in refusal(capabilities, token, ROOM.source, ROOM.tenant, 2_000)


def test_a_capability_is_for_its_source_and_tenant_only() -> None:
    capabilities = Capabilities(KEYS)
    token = capabilities.sign(ROOM)
    assert "another" in refusal(capabilities, token, Source.AGORA_VIDEO, "default", 0)
    assert "another" in refusal(capabilities, token, Source.AGORA_VOICE, "other", 0)


def test_without_keys_nothing_is_signed_or_verified() -> None:
    with pytest.raises(Fatal, match="capability_keys"):
        Capabilities([]).sign(ROOM)
    token = Capabilities(KEYS).sign(ROOM)
    assert "no capability keys" in refusal(Capabilities([]), token, ROOM.source, ROOM.tenant, 0)


@pytest.mark.parametrize(
    "signed",
    [
        ["a list"],
        {},
        {
            "source": "agora_voice",
            "tenant": "default",
            "session_id": "s",
            "room": 1,
            "user": None,
            "expires": 9,
        },
        {
            "source": "agora_voice",
            "tenant": "default",
            "session_id": "s",
            "room": "",
            "user": 2,
            "expires": 9,
        },
        {
            "source": "agora_voice",
            "tenant": "default",
            "session_id": "s",
            "room": "",
            "user": "",
            "expires": "9",
        },
        {
            "source": "nobody",
            "tenant": "default",
            "session_id": "s",
            "room": None,
            "user": None,
            "expires": 9,
        },
    ],
)
def test_what_another_version_of_us_signed_is_refused(signed: object) -> None:
    capabilities = Capabilities(KEYS)
    assert capabilities._serializer is not None
    token = str(capabilities._serializer.dumps(signed))
    assert "not signed by us" in refusal(capabilities, token, ROOM.source, ROOM.tenant, 0)


@given(st.text())
def test_any_text_but_a_signed_one_is_refused(text: str) -> None:
    refusal(Capabilities(KEYS), text, ROOM.source, ROOM.tenant, 0)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_no_changed_capability_passes(place: int, change: int) -> None:
    capabilities = Capabilities(KEYS)
    token = bytearray(capabilities.sign(ROOM).encode())
    payload = token.index(b".")
    # The last character of a base64 part may hold bits that do not count.
    place %= payload - 1
    token[place] ^= change
    refusal(capabilities, token.decode("latin-1"), ROOM.source, ROOM.tenant, 0)

"""Dead letters: what they keep, what they add, and the way back."""

from typing import Any

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given
from hypothesis import strategies as st

from moderato import topics
from moderato.bus.publisher import Message
from moderato.codec import Headers, decode, encode
from moderato.dead_letters import (
    Origin,
    Record,
    attempts,
    dead_letter,
    last_reason,
    origin,
    original,
    reason_of,
    revived,
    stack_of,
)
from moderato.errors import Poison
from moderato.sources import Source

AT = "2026-11-21T08:00:00.000Z"
RAW = topics.raw(Source.SHUMEI_AUDIO)
HEADERS = encode("raw", id="r-1", source=Source.SHUMEI_AUDIO, tenant="acme", key="acme/t", time=AT)


def consumed(
    value: bytes | None = b"{", headers: Headers = HEADERS, *, topic: str = RAW, key: bytes | None = b"acme/t"
) -> Record:
    return ConsumerRecord(topic, 3, 41, 1_000, 0, key, value, None, 0, 0, tuple(headers))


def arrived(message: Message, *, partition: int = 0, offset: int = 0) -> Record:
    """A message as it is consumed."""
    return ConsumerRecord(
        message.topic,
        partition,
        offset,
        2_000,
        0,
        message.key,
        message.value,
        None,
        0,
        0,
        tuple(message.headers),
    )


def letter(record: Record, **given: Any) -> Message:
    return dead_letter(record, **{"stage": "normalizer", "reason": "not JSON", "at": AT} | given)


def headers(message: Message) -> dict[str, str]:
    found = {name: text.decode() for name, text in message.headers}
    assert len(found) == len(message.headers)
    return found


def test_a_dead_letter_is_the_original_and_says_where_it_was_and_why() -> None:
    made = letter(consumed(b"\xff{"))
    assert (made.topic, made.key, made.value) == (topics.DEAD_LETTERS, b"acme/t", b"\xff{")
    assert made.headers[: len(HEADERS)] == HEADERS
    added = {name: text for name, text in headers(made).items() if name.startswith("dl_")}
    assert added == {
        "dl_stage": "normalizer",
        "dl_reason": "not JSON",
        "dl_attempts": "1",
        "dl_topic": RAW,
        "dl_partition": "3",
        "dl_offset": "41",
        "dl_at": AT,
    }


def test_a_replay_publishes_the_original_and_a_second_failure_counts_up() -> None:
    first = letter(consumed())
    for expected in ("2", "3"):
        again = revived(arrived(first))
        assert (again.topic, again.key, again.value) == (RAW, b"acme/t", b"{")
        assert [each for each in again.headers if not each[0].startswith("dl_")] == HEADERS
        assert decode(again.headers, again.value).id == "r-1"
        first = letter(arrived(again), reason="still not JSON")
        found = headers(first)
        assert (found["dl_attempts"], found["dl_reason"]) == (expected, "still not JSON")
        assert (found["dl_partition"], found["dl_offset"]) == ("0", "0")


@given(st.text(), st.text(max_size=9000))
def test_reason_and_stack_are_bounded_and_stay_text(reason: str, stack: str) -> None:
    found = dict(letter(consumed(), reason=reason, stack=stack).headers)
    assert len(found["dl_reason"]) <= 500
    assert len(found.get("dl_stack", b"")) <= 4096
    for text in found.values():
        text.decode()


def test_of_a_long_stack_the_innermost_calls_are_kept() -> None:
    stack = "".join(f"  call {number}\n" for number in range(1000))
    assert headers(letter(consumed(), stack=stack))["dl_stack"].endswith("call 998\n  call 999\n")


def bug(message: str) -> Exception:
    try:
        raise KeyError(message)
    except KeyError as error:
        return error


def test_a_fault_of_ours_says_its_type_its_words_and_its_place() -> None:
    error = bug("riskLabel1")
    assert reason_of(error).startswith("KeyError: 'riskLabel1' (test_dead_letters.py:")
    assert "raise KeyError(message)" in (stack_of(error) or "")


def test_a_long_message_does_not_push_the_place_out() -> None:
    made = letter(consumed(), reason=reason_of(bug("x" * 10_000)))
    assert "(test_dead_letters.py:" in headers(made)["dl_reason"]


def test_poison_says_itself_what_is_wrong_and_nobody_called_it() -> None:
    error = Poison("not JSON: line 1")
    assert reason_of(error) == "not JSON: line 1"
    assert stack_of(error) is None


def test_the_last_reason_of_a_batch_is_quoted_with_its_place() -> None:
    verdict = Message(topics.VERDICTS, b"", b"{}", [])
    batch = [letter(consumed(), reason="first"), letter(consumed(), reason="last " + "x" * 500), verdict]
    assert last_reason(batch) == f"last {'x' * 195} ({RAW} partition 3 offset 41)"
    assert last_reason([verdict]) == "none is there"


def test_an_error_that_was_never_raised_has_no_place() -> None:
    assert reason_of(ValueError("odd")) == "ValueError: odd"


@pytest.mark.parametrize("text", [b"", b"-1", b"many", b"9" * 4000, "²".encode(), None])
def test_a_number_of_attempts_that_is_none_counts_as_none(text: bytes) -> None:
    assert attempts([("dl_attempts", text)]) == 0


def test_a_value_too_large_for_the_dead_letters_stays_where_it_is_and_the_letter_says_so() -> None:
    made = letter(consumed(b"x" * 5_000_000))
    found = headers(made)
    assert made.value is None
    assert (found["dl_left_out"], found["dl_topic"], found["dl_offset"]) == ("5000000", RAW, "41")
    with pytest.raises(Poison, match="too large to be kept \\(5000000 bytes\\)"):
        revived(arrived(made))


def test_headers_count_too() -> None:
    large = [*HEADERS, ("x-large", b"x" * 2_500_000)]
    assert letter(consumed(b"x" * 2_500_000, large)).value is None
    assert letter(consumed(b"x" * 1_000_000, large)).value is not None


def test_a_tombstone_and_a_record_without_a_key_are_kept_as_they_are() -> None:
    made = letter(consumed(None, [], key=None))
    assert (made.key, made.value) == (b"", None)
    assert "dl_left_out" not in headers(made)
    assert revived(arrived(made)).value is None


def test_the_original_is_given_back_with_its_place() -> None:
    record = original(arrived(letter(consumed()), partition=2, offset=7))
    assert (record.topic, record.partition, record.offset) == (RAW, 3, 41)
    assert (record.key, record.value, list(record.headers)) == (b"acme/t", b"{", HEADERS)
    assert origin(arrived(letter(consumed()))) == Origin(RAW, 3, 41)


@pytest.mark.parametrize("missing", ["dl_topic", "dl_partition", "dl_offset"])
def test_a_message_that_does_not_say_where_it_came_from_is_no_letter_of_ours(missing: str) -> None:
    made = letter(consumed())
    stripped = made._replace(headers=[each for each in made.headers if each[0] != missing])
    for way_back in (origin, original, revived):
        with pytest.raises(Poison, match="no dead letter of ours"):
            way_back(arrived(stripped))


@pytest.mark.parametrize("topic", ["__consumer_offsets", topics.DEAD_LETTERS, "bank.transfers"])
def test_nothing_is_replayed_into_a_topic_that_is_no_stages(topic: str) -> None:
    with pytest.raises(Poison, match="no topic of a stage"):
        revived(arrived(letter(consumed(topic=topic))))

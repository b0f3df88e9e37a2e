"""The contract that every entry of the registry keeps."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.sources import Source
from simulator.callbacks import SOURCES, make, sent_again
from simulator.callbacks.contract import mark, sequence_in
from tests.simulator.support import NOW, callbacks, content, moment

URL = "http://127.0.0.1:1/x"

every_source = pytest.mark.parametrize("source", list(Source))


def test_every_source_is_simulated() -> None:
    assert set(SOURCES) == set(Source)


@every_source
def test_bodies_parse_and_carry_their_sequence_number(source: Source) -> None:
    for callback, told in callbacks(source):
        assert content(callback) == told.content
        assert sequence_in(callback.body) == callback.sequence == 7
        assert callback.expected.readable
        assert callback.expected.identity


@every_source
def test_the_same_seed_gives_the_same_bytes(source: Source) -> None:
    first = [callback for callback, _ in callbacks(source)]
    again = [callback for callback, _ in callbacks(source)]
    assert first == again
    assert len({callback.body for callback in first}) > 30


@every_source
def test_malformed_callbacks_are_signed_and_still_findable(source: Source) -> None:
    for callback, _ in callbacks(source, malformed=True):
        assert sequence_in(callback.body) == 7
        assert not callback.expected.readable
        assert callback.expected.judgements == ()
        callback.body.decode()  # broken content, not broken text


@every_source
def test_malformed_callbacks_are_broken_in_several_ways(source: Source) -> None:
    kinds = set()
    for callback, told in callbacks(source, malformed=True):
        try:
            kinds.add(type(content(callback)).__name__)
            assert content(callback) != told.content
        except json.JSONDecodeError:
            kinds.add("no JSON")
    assert "no JSON" in kinds
    assert len(kinds) > 1


@every_source
def test_only_ncs_stamps_a_repeated_delivery_anew(source: Source) -> None:
    for callback, _ in callbacks(source):
        again = sent_again(callback, NOW + 60)
        if source is Source.AGORA_NCS:
            before, after = json.loads(callback.body), json.loads(again.body)
            assert after["notifyMs"] == 1_763_712_060_000
            assert after | {"notifyMs": before["notifyMs"]} == before
            assert again.headers != callback.headers
            assert again.expected == callback.expected
        else:
            assert again == callback


@pytest.mark.parametrize("source", [source for source in Source if source is not Source.AGORA_NCS])
def test_decisions_come_out_as_they_went_in(source: Source) -> None:
    for seed in range(40):
        for decision in ("review", "block"):
            callback, _ = make(source, URL, moment(source, seed, decision=decision))
            decisions = {judged.decision for judged in callback.expected.judgements}
            human = any(word in callback.content for word in (b'"reviewEvidences"', b'"serviceId"'))
            assert human or decision in decisions
            assert decisions


@every_source
def test_secrets_do_not_show_when_a_callback_is_printed(source: Source) -> None:
    for callback, _ in callbacks(source, range(1)):
        for name, secret in callback.secrets.items():
            # The uid of Agora voice and Yidun's ids travel openly.
            if name in ("secret_key", "secret", "app_secret", "seed"):
                assert secret not in repr(callback)


@given(st.integers(min_value=0, max_value=9_999_999_999))
def test_a_mark_is_found_again(sequence: int) -> None:
    assert sequence_in(f"%7B%22a%22%3A{mark(sequence)}%22".encode()) == sequence


@given(st.binary(max_size=30))
def test_foreign_bodies_carry_no_mark(body: bytes) -> None:
    assert sequence_in(body.replace(b"sim", b"")) is None

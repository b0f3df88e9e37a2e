from random import Random

import pytest

from simulator.rooms import Decision, make_rooms


def test_the_same_seed_makes_the_same_rooms() -> None:
    assert make_rooms(8, Random(5)) == make_rooms(8, Random(5))
    assert make_rooms(8, Random(5)) != make_rooms(8, Random(6))


def test_every_room_has_somebody_who_misbehaves_and_several_who_do_not() -> None:
    for room in make_rooms(50, Random(1)):
        vices = [speaker.vice for speaker in room.speakers]
        assert 1 <= len([vice for vice in vices if vice]) <= 2
        assert len([vice for vice in vices if vice is None]) >= 2


def test_members_of_a_room_have_different_uids() -> None:
    for room in make_rooms(50, Random(2)):
        assert len({speaker.uid for speaker in room.speakers}) == len(room.speakers)


@pytest.mark.parametrize("decision", ["pass", "review", "block"])
def test_a_segment_is_as_grave_as_it_was_asked_to_be(decision: Decision) -> None:
    random = Random(3)
    room = make_rooms(1, random)[0]
    for index in range(200):
        segment = room.segment(index, 1_000_000.0, decision, random)
        assert segment.worst.decision == decision
        assert (segment.worst.theme is None) == (decision == "pass")
        assert (segment.worst.speaker.vice is None) or segment.worst.speaker in room.speakers
        assert segment.worst.line.text in segment.text
        assert 0 < segment.worst.score < 1


def test_only_the_badly_behaved_say_bad_things() -> None:
    random = Random(4)
    room = make_rooms(1, random)[0]
    said = [
        utterance
        for index in range(200)
        for utterance in room.segment(index, 1e9, "block", random).utterances
    ]
    assert all(utterance.speaker.vice for utterance in said if utterance.theme)
    assert any(utterance.theme is None for utterance in said)


def test_segments_are_ten_seconds_of_stream_time_apart() -> None:
    random = Random(5)
    room = make_rooms(1, random)[0]
    first, second = (room.segment(index, 500.0, "pass", random) for index in (0, 1))
    assert (first.offset, second.offset) == (0, 10)
    assert (first.start, first.end) == (490.0, 500.0)

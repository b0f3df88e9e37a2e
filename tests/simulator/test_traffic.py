from collections import Counter
from random import Random

import pytest

from moderato.errors import Fatal
from moderato.sources import Source
from simulator.callbacks.contract import sequence_in
from simulator.targets import example_targets
from simulator.traffic import Dispatch, Kind, Mix, Shares, Traffic, make_feeds
from tests.simulator.support import NOW, content

BASE = "http://127.0.0.1:8080"
NOTHING_WRONG = Shares(0, 0, 0, 0)


def traffic(shares: Shares = NOTHING_WRONG, mix: Mix = Mix(), seed: int = 1, rooms: int = 8) -> Traffic:  # noqa: B008
    return Traffic(make_feeds(BASE, example_targets(), rooms, seed), mix, shares, Random(seed))


def turns(stream: Traffic, count: int) -> list[Dispatch]:
    return [dispatch for turn in range(count) for dispatch in stream.next(NOW + turn)]


def test_the_same_seed_gives_the_same_stream_byte_for_byte() -> None:
    shares = Shares(0.1, 0.1, 0.1, 0.1)
    assert turns(traffic(shares, seed=3), 300) == turns(traffic(shares, seed=3), 300)
    assert turns(traffic(shares, seed=3), 300) != turns(traffic(shares, seed=4), 300)


def test_eight_rooms_are_spread_over_all_eight_sources() -> None:
    feeds = make_feeds(BASE, example_targets(), 8, 0)
    assert {feed.source for feed in feeds} == set(Source)
    assert len({feed.room.name for feed in feeds}) == 8


@pytest.mark.parametrize(("rooms", "feeds"), [(1, 8), (8, 8), (20, 20)])
def test_no_room_and_no_source_is_left_out(rooms: int, feeds: int) -> None:
    made = make_feeds(BASE, example_targets(), rooms, 0)
    assert len(made) == feeds
    assert {feed.source for feed in made} == set(Source)
    assert len({feed.room.name for feed in made}) == rooms


def test_sources_take_turns() -> None:
    counts = Counter(dispatch.callback.source for dispatch in turns(traffic(), 80))
    assert set(counts.values()) == {10}


def test_callbacks_go_to_their_tenants_address() -> None:
    dispatch = turns(traffic(), 1)[0]
    assert dispatch.callback.url == f"{BASE}/v1/callbacks/agora_voice/default/simulated-vendor-token"


def test_sequence_numbers_are_unique_and_stand_in_the_body() -> None:
    dispatches = turns(traffic(Shares(0, 0.1, 0.1, 0.1)), 400)
    numbers = [dispatch.callback.sequence for dispatch in dispatches]
    assert sorted(numbers) == list(range(len(numbers)))
    assert numbers == [sequence_in(dispatch.callback.body) for dispatch in dispatches]


def test_most_pass_unless_the_mix_says_otherwise() -> None:
    def decisions(mix: Mix) -> Counter[str]:
        found = turns(traffic(mix=mix), 1600)
        return Counter(judged.decision for one in found for judged in one.callback.expected.judgements)

    usual = decisions(Mix())
    assert usual["pass"] > 3 * (usual["review"] + usual["block"]) > 0
    assert decisions(Mix(1, 0, 0, 0)).keys() == {"pass"}
    assert decisions(Mix(0, 0, 0, 1)) == Counter()


def test_duplicates_are_the_same_callback_posted_later() -> None:
    dispatches = turns(traffic(Shares(duplicates=1, late=0, out_of_order=0, malformed=0)), 16)
    for original, duplicate in zip(dispatches[::2], dispatches[1::2], strict=True):
        assert (original.kind, duplicate.kind) == (Kind.FRESH, Kind.DUPLICATE)
        assert duplicate.callback == original.callback
        assert duplicate.delay > original.delay


def test_late_ones_tell_of_up_to_a_day_ago() -> None:
    stream = traffic(Shares(duplicates=0, late=1, out_of_order=0, malformed=0), Mix(1, 0, 0, 0))
    ages = []
    for dispatch in turns(stream, 400):
        assert dispatch.kind is Kind.LATE
        if dispatch.callback.source is Source.AGORA_NCS:
            told = content(dispatch.callback)
            if "sendts" in told["payload"]:
                assert told["notifyMs"] >= NOW * 1000
                ages.append(told["notifyMs"] / 1000 - told["payload"]["sendts"] / 1000)
    assert min(ages) > 590
    assert 40_000 < max(ages) < 86_400


def test_out_of_order_means_that_a_rooms_later_segment_comes_first() -> None:
    stream = traffic(Shares(duplicates=0, late=0, out_of_order=1, malformed=0), Mix(1, 0, 0, 0))
    dispatches = turns(stream, 80)
    assert len(dispatches) == 160
    for first, second in zip(dispatches[::2], dispatches[1::2], strict=True):
        assert (first.kind, second.kind) == (Kind.FRESH, Kind.OUT_OF_ORDER)
        assert first.callback.url == second.callback.url
        assert first.callback.sequence == second.callback.sequence + 1
        assert second.delay > 0


def test_malformed_ones_are_marked_as_unreadable() -> None:
    stream = traffic(Shares(duplicates=0, late=0, out_of_order=0, malformed=1))
    for dispatch in turns(stream, 80):
        assert dispatch.kind is Kind.MALFORMED
        assert not dispatch.callback.expected.readable


def test_a_task_that_ended_is_followed_by_a_new_one() -> None:
    target = [target for target in example_targets() if target.source is Source.SHUMEI_AUDIO]
    stream = Traffic(make_feeds(BASE, target, 1, 0), Mix(0, 0, 0, 1), NOTHING_WRONG, Random(0))
    tasks = [dispatch.callback.expected.identity[:32] for dispatch in turns(stream, 10)]
    assert len(set(tasks)) == 10


def test_segments_of_a_running_task_are_numbered() -> None:
    target = [target for target in example_targets() if target.source is Source.SHUMEI_VIDEO]
    stream = Traffic(make_feeds(BASE, target, 1, 0), Mix(1, 0, 0, 0), NOTHING_WRONG, Random(0))
    identities = [dispatch.callback.expected.identity for dispatch in turns(stream, 40)]
    assert len(set(identities)) == 40
    assert len({identity[:32] for identity in identities}) == 1


def test_impossible_configurations_are_refused() -> None:
    with pytest.raises(Fatal, match="mix"):
        Mix(-1, 1, 1, 1)
    with pytest.raises(Fatal, match="mix"):
        Mix(0, 0, 0, 0)
    with pytest.raises(Fatal, match="shares"):
        Shares(duplicates=1.5)
    with pytest.raises(Fatal, match="shares"):
        Shares(late=0.5, out_of_order=0.5, malformed=0.5)
    with pytest.raises(Fatal, match="nobody to call"):
        Traffic(make_feeds(BASE, [], 8, 0), Mix(), Shares(), Random(0))
    with pytest.raises(Fatal, match="nobody to call"):
        Traffic(make_feeds(BASE, example_targets(), 0, 0), Mix(), Shares(), Random(0))

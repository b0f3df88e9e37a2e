"""The simulator and the pipeline are written apart, each from the vendors' documents: here they meet."""

from collections import Counter
from random import Random

import pytest
from multidict import CIMultiDict

from ingest.callbacks import CALLBACKS, identify
from ingest.callbacks.contract import Delivery, family
from moderato.sources import Source
from simulator.callbacks import sent_again
from simulator.callbacks.contract import Callback
from simulator.targets import example_targets
from simulator.traffic import Dispatch, Kind, Mix, Shares, Traffic, make_feeds
from tests.normalize.support import read_body
from tests.simulator.support import NOW

every_source = pytest.mark.parametrize("source", list(Source))


def stream(source: Source, shares: Shares, count: int = 300) -> list[Dispatch]:
    targets = [target for target in example_targets() if target.source is source]
    feeds = make_feeds("http://127.0.0.1:1", targets, 3, 7)
    traffic = Traffic(feeds, Mix(0.4, 0.2, 0.2, 0.2), shares, Random(7))
    return [dispatch for turn in range(count) for dispatch in traffic.next(NOW + turn)]


def delivery(callback: Callback) -> Delivery:
    return Delivery(callback.body, callback.content_type, CIMultiDict(callback.headers))


@every_source
def test_receivers_take_what_vendors_sign_and_broken_content_too(source: Source) -> None:
    receiver = CALLBACKS[source]
    for dispatch in stream(source, Shares(malformed=0.3)):
        again = sent_again(dispatch.callback, NOW + 9)
        for callback in (dispatch.callback, again):
            assert family(callback.content_type) in receiver.accepts
            readable = (
                callback.expected.readable or source is not Source.AGORA_VIDEO
            )  # its checksum is inside
            if receiver.verify and readable:
                receiver.verify(delivery(callback), callback.secrets)


@every_source
def test_receivers_answer_as_vendors_want(source: Source) -> None:
    for dispatch in stream(source, Shares(malformed=0.3)):
        assert dispatch.callback.accepts(200, CALLBACKS[source].acknowledgement)


@every_source
def test_duplicates_have_one_id_and_different_callbacks_have_different_ones(source: Source) -> None:
    shares = Shares(duplicates=0.3, late=0.1, out_of_order=0.1, malformed=0)
    ids: dict[int, str] = {}
    for dispatch in stream(source, shares):
        callback = dispatch.callback
        posted = sent_again(callback, NOW + 5) if dispatch.kind is Kind.DUPLICATE else callback
        identity = identify(source, posted.body, posted.content_type)
        assert ids.setdefault(callback.sequence, identity.id) == identity.id
    assert [item for item, count in Counter(ids.values()).items() if count > 1] == []


@every_source
def test_normalizers_read_what_vendors_tell(source: Source) -> None:
    for dispatch in stream(source, Shares(malformed=0)):
        callback = dispatch.callback
        reading = read_body(source, callback.body, callback.content_type)
        judged = [verdict for verdict in reading.verdicts if not verdict.degraded]
        assert [verdict.decision for verdict in judged] == [
            one.decision for one in callback.expected.judgements
        ]
        assert reading.faults == []


@every_source
def test_malformed_ones_become_dead_letters_and_for_content_fail_safe_verdicts(source: Source) -> None:
    for dispatch in stream(source, Shares(0, 0, 0, malformed=1)):
        reading = read_body(source, dispatch.callback.body, dispatch.callback.content_type)
        assert reading.faults
        assert [verdict.degraded for verdict in reading.verdicts] == (
            [] if source is Source.AGORA_NCS else [True] * len(reading.verdicts)
        )
        assert reading.verdicts or source is Source.AGORA_NCS

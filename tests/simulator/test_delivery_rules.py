import pytest

from moderato.sources import Source
from simulator.callbacks import SOURCES
from simulator.delivery_rules import json_answer, json_code, status_2xx, status_200


@pytest.mark.parametrize(
    ("source", "attempts", "timeout"),
    [
        (Source.AGORA_VOICE, 17, 5),
        (Source.AGORA_VIDEO, 3, 5),
        (Source.AGORA_NCS, 4, 10),
        (Source.SHUMEI_AUDIO, 21, 5),
        (Source.SHUMEI_VIDEO, 13, 5),
        (Source.IFLYTEK_AUDIO, 4, 5),
        (Source.YIDUN_AUDIO, 144, 2),
        (Source.YUNXIN_RTC, 4, 5),
    ],
)
def test_attempts_and_timeouts_are_the_vendors(source: Source, attempts: int, timeout: float) -> None:
    rules = SOURCES[source].delivery
    assert (len(rules.waits) + 1, rules.timeout) == (attempts, timeout)


def test_yidun_gives_up_after_a_day() -> None:
    waits = SOURCES[Source.YIDUN_AUDIO].delivery.waits
    assert set(waits) == {600.0}
    assert 0.99 * 86_400 <= sum(waits) <= 86_400


def test_shumei_waits_five_seconds_more_each_time_up_to_a_minute() -> None:
    assert SOURCES[Source.SHUMEI_AUDIO].delivery.waits[:3] == (5, 10, 15)
    assert SOURCES[Source.SHUMEI_AUDIO].delivery.waits[-1] == 60
    assert SOURCES[Source.SHUMEI_VIDEO].delivery.waits == tuple(range(5, 65, 5))


def test_agora_retries_at_once() -> None:
    assert SOURCES[Source.AGORA_VIDEO].delivery.waits == (0, 0)
    ncs = SOURCES[Source.AGORA_NCS].delivery.waits
    assert ncs[0] == 0
    assert list(ncs) == sorted(ncs)


def test_what_contents_whom() -> None:
    assert status_200(200, b"anything")
    assert not status_200(201, b"")
    assert status_2xx(204, b"")
    assert not status_2xx(302, b"")
    assert json_answer(200, b"{}")
    assert not json_answer(200, b"ok")
    assert not json_answer(503, b"{}")
    assert json_code(1100)(200, b'{"code":1100,"message":"ok"}')
    assert not json_code(1100)(200, b'{"code":200}')
    assert not json_code(200)(503, b'{"code":200}')
    assert not json_code(200)(200, b"[200]")
    assert not json_code(200)(200, b"")

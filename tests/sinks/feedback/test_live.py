"""What people and other vendors say, as metrics."""

from collections.abc import Iterator
from typing import Any

import pytest

from moderato.metrics import REGISTRY
from sinks.feedback.live import Feedback
from tests.sinks.feedback.test_agreement import said as heard
from tests.sinks.feedback.test_pairing import decided, said


def counted(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"moderato_{name}_total", labels) or 0.0


class Since:
    """What has been counted since it was made."""

    def __init__(self) -> None:
        self._before = dict(self._all())

    def __call__(self) -> dict[str, float]:
        return {
            name: value - self._before.get(name, 0)
            for name, value in self._all()
            if value != self._before.get(name, 0)
        }

    def _all(self) -> Iterator[tuple[str, float]]:
        for family in REGISTRY.collect():
            for sample in family.samples:
                if sample.name.startswith(("moderato_feedback", "moderato_agreement")):
                    yield f"{sample.name} {' '.join(sample.labels.values())}", sample.value


def fed(*verdicts: dict[str, Any]) -> dict[str, float]:
    since, feedback = Since(), Feedback()
    for each in verdicts:
        feedback.see(each)
    feedback.tell()
    feedback.tell()
    return since()


def test_precision_is_counted_by_source_and_category_of_the_machine() -> None:
    assert fed(
        said(segment_id="a", category="porn"),
        said(segment_id="b", category="porn"),
        decided(segment_id="a", category="abuse"),
        decided(segment_id="b", decision="pass"),
        decided(segment_id="c"),
        decided(segment_id="d", decision="pass"),
    ) == {
        "moderato_feedback_total shumei_audio porn confirmed": 1,
        "moderato_feedback_total shumei_audio porn refuted": 1,
        "moderato_feedback_missed_total shumei_audio": 1,
    }


def test_minutes_that_two_sources_watched_are_counted_once_they_are_over() -> None:
    together = [heard(source) for source in ("shumei_audio", "yidun_audio")]
    assert fed(*together) == {}
    calm = [heard(source, 60, "pass") for source in ("shumei_audio", "yidun_audio")]
    assert fed(*together, *calm, heard("shumei_audio", 10_000)) == {
        "moderato_agreement_total shumei_audio yidun_audio both": 1
    }


@pytest.mark.parametrize("field", ["source", "category"])
def test_words_of_a_later_version_make_no_new_series(field: str) -> None:
    changes = {field: "brand-new"}
    told = fed(said(**changes), decided(**changes), decided(3600, **changes))
    assert not [name for name in told if "brand-new" in name]
    assert len(told) == (0 if field == "source" else 2)

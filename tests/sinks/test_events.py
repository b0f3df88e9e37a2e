import pytest

from moderato.errors import Poison
from sinks.events import opened, require_texts, text_in
from tests.sinks.support import action, consumed, verdict


def test_binary_and_structured_cloudevents_open_alike() -> None:
    structured = (
        b'{"specversion":"1.0","id":"i","source":"/sources/x","type":"moderato.verdict.v1","data":{"id":"v"}}'
    )
    headers = [("content-type", b"application/cloudevents+json")]
    assert opened(consumed("verdict", structured, headers=headers), "verdict")[1] == {"id": "v"}
    assert opened(consumed("verdict", verdict()), "verdict")[1] == verdict()


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (consumed("action", action()), "moderato.verdict.v1 is due, not 'moderato.action.v1'"),
        (consumed("verdict", b"{"), "the verdict is not JSON"),
        (consumed("verdict", b"[1]"), "the verdict is not a JSON object"),
        (consumed("verdict", b"{}", headers=[]), "no CloudEvents attribute"),
    ],
)
def test_what_is_no_verdict_is_poison(record: object, reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        opened(record, "verdict")  # type: ignore[arg-type]


def test_a_later_version_of_a_kind_is_poison_since_its_fields_may_mean_something_else() -> None:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"i"),
        ("ce_source", b"/sources/x"),
        ("ce_type", b"moderato.verdict.v2"),
    ]
    with pytest.raises(Poison, match=r"moderato\.verdict\.v1 is due"):
        opened(consumed("verdict", b"{}", headers=headers), "verdict")


def test_every_field_that_lacks_its_text_is_named() -> None:
    with pytest.raises(Poison, match=r"^text is due in a, c, d$"):
        require_texts({"a": 1, "b": "x", "c": ""}, ("a", "b", "c", "d"))
    require_texts({"a": "x"}, ("a",))


def test_an_optional_field_of_a_wrong_type_counts_as_missing() -> None:
    assert text_in({"a": "x"}, "a") == "x"
    assert [text_in({"a": value}, "a") for value in (None, "", 5, ["x"])] == [None] * 4

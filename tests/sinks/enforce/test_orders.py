from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderato.errors import Poison
from moderato.records import Target
from sinks.enforce.orders import read_order
from tests.sinks.support import action, consumed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def test_an_action_is_read_with_its_bytes_as_they_came() -> None:
    found = action(expires_at="2026-11-21T08:01:00.000Z", brand_new_field=1)
    order = read_order(consumed("action", found, offset=9))
    assert (order.id, order.type, order.target) == ("act_1", "kick", Target("user", "u-42"))
    assert order.expires == 1795248060.0
    assert order.key == "acme/u-42"
    assert order.place == "3-9"
    assert orjson.loads(order.data) == found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": None}, "text is due in id"),
        ({"type": 5}, "text is due in type"),
        ({"target": "u-42"}, "an object is due in target"),
        ({"target": {"kind": "user"}}, "text is due in id"),
        ({"rule": None}, "an object is due in rule"),
        ({"expires_at": "soon"}, "expires_at is not a time"),
        ({"expires_at": 5}, "expires_at is not a time"),
    ],
)
def test_an_action_that_cannot_be_understood_is_poison(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(Poison, match=reason):
        read_order(consumed("action", action(**changes)))


@given(st.sampled_from(list(action())), JSON)
def test_anything_in_any_field_is_read_or_poison(field: str, value: Any) -> None:
    try:
        order = read_order(consumed("action", action(**{field: value})))
    except Poison:
        return
    assert order.id

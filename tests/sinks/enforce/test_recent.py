from sinks.enforce.recent import Recent


def test_an_id_is_remembered_for_a_day_and_an_hour() -> None:
    now = 0.0
    recent = Recent(clock=lambda: now)
    recent.add("a")
    assert "a" in recent
    assert "b" not in recent
    now = 24 * 3600.0
    assert "a" in recent
    now = 25 * 3600.0
    assert "a" not in recent


def test_when_there_are_too_many_the_oldest_is_forgotten() -> None:
    recent = Recent(most=2)
    for id in ("a", "b", "a", "c"):
        recent.add(id)
    assert ["a" in recent, "b" in recent, "c" in recent] == [True, False, True]

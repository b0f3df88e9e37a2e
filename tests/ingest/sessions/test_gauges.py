"""What a controller shows of its sessions."""

from dataclasses import replace

from ingest.sessions.gauges import Gauges
from moderato.metrics import REGISTRY
from moderato.records import SessionFault, SessionState
from tests.ingest.sessions.test_machine import HEARD, T, active, session


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"moderato_sessions{name}", {"source": "shumei_audio"} | labels)


def test_sessions_by_state_and_what_is_wrong_with_them() -> None:
    well = active(HEARD)
    fault = SessionFault("7", "no", well.updated_at)
    ailing = replace(well, id="s-2", watched=False, fault=fault)
    Gauges(["acme", "other"]).count([(session(), T), (well, T + 20), (ailing, T)], T + 50)
    assert value("", state=SessionState.ACTIVE) == 2
    assert value("", state=SessionState.REQUESTED) == 1
    assert value("_unwatched", tenant="acme") == 2
    assert value("_unwatched", tenant="other") == 0
    assert value("_at_fault", tenant="acme") == 1
    assert value("_silent_seconds") == 50
    assert value("_unwatched_seconds") == 50


def test_what_went_away_is_counted_no_more() -> None:
    shown = Gauges(["acme"])
    shown.count([(active(HEARD), T)], T)
    shown.count([], T)
    assert value("", state=SessionState.ACTIVE) == 0
    assert value("_unwatched", tenant="acme") == 0


def test_sessions_that_cannot_be_driven_are_told_until_they_can() -> None:
    shown = Gauges(["acme"])
    shown.undriven(session(), "tenants.acme.credentials.shumei: is missing")
    assert shown.note([]) == "1 sessions cannot be driven: tenants.acme.credentials.shumei: is missing"
    assert shown.note([session()]) is None

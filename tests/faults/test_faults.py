"""A few faults with a fixed seed; `make faults` makes as many as wanted."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faults import FAULTS
from tests.faults.runs import Scene, scene
from tests.kafka.fixtures import _available

_PLAN = (
    "SIGKILL receiver",
    "SIGTERM normalizer",
    "SIGKILL policy",
    "receiver dies: callback stored, not answered",
    "receiver dies: drained, not removed",
    "normalizer dies: handled, not published",
    "policy dies: published, not committed",
    "enforcer dies: action carried out, outcome not written",
    "SIGKILL the only broker",
    "connections: half-open",
    "connections: reset",
    "poison flood",
)
pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder: Path = tmp_path_factory.mktemp("faults")
    with _available(), scene(folder, 1, seed=4, disk=False) as running:
        yield running


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", _PLAN)
async def test_no_acknowledged_callback_is_lost_invented_or_altered(stage: Scene, name: str) -> None:
    (fault,) = [each for each in FAULTS if each.name == name]
    run = await stage.run([fault])
    assert run.acknowledged > 0
    if run.found.faults:
        print(stage.pipeline.autopsy())
    assert run.found.faults == 0, str(run)

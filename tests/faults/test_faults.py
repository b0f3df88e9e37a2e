"""A few faults with a fixed seed; `make faults` makes as many as wanted."""

from pathlib import Path

import pytest

from tests.faults.runs import scene
from tests.kafka.fixtures import _available

pytestmark = pytest.mark.kafka
_PLAN = ("SIGKILL receiver", "SIGKILL normalizer", "SIGTERM policy", "SIGKILL enforcer", "SIGKILL broker")


@pytest.mark.timeout(180)
async def test_no_acknowledged_callback_is_lost_invented_or_altered(tmp_path: Path) -> None:
    with _available(), scene(tmp_path, 1, seed=4) as stage:
        for fault in _PLAN:
            run = await stage.run(fault)
            assert run.acknowledged > 0
            assert run.found.faults == 0, str(run)

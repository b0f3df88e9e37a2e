"""A controller that is killed at any moment, on real Kafka: no task twice at a vendor, none forgotten."""

import asyncio
from pathlib import Path
from random import Random

import pytest

from moderato.bus.connection import Connection
from moderato.records import SessionState
from moderato.sources import Source
from tests.bench.sessions import Rig

COUNTS = {Source.AGORA_VOICE: 30, Source.SHUMEI_AUDIO: 60, Source.YIDUN_AUDIO: 90}
OVER = (SessionState.ENDED, SessionState.FAILED)


@pytest.mark.kafka
@pytest.mark.timeout(300)
async def test_sessions_survive_their_controller(kafka_connection: Connection, tmp_path: Path) -> None:
    random = Random(278)
    async with Rig(kafka_connection, tmp_path) as rig:
        await rig.controller()
        await rig.start(COUNTS)
        await asyncio.sleep(random.uniform(0.5, 1.5))
        rig.kill()
        await rig.controller()
        await rig.until(SessionState.ACTIVE, seconds=120)
        assert rig.faults() == []
        assert len(rig.server.world.book.tasks) == sum(COUNTS.values())
        await rig.stop()
        await asyncio.sleep(random.uniform(0.3, 1.0))
        rig.kill()
        await rig.controller()
        await rig.until(*OVER, seconds=120)
        assert rig.states() == {SessionState.ENDED: sum(COUNTS.values())}
        assert rig.server.world.book.all_running() == []

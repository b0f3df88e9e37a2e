"""SIGKILL at random moments and between any two steps: every callback that was answered 2xx comes to Kafka."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import orjson
import pytest

from tests.ingest.spool_support import until
from tests.ingest.support import JSON, TOKEN

ROOT = Path(__file__).parents[2]
TASKS = 6


class Life:
    """A receiver that is killed and started again, and vendors that send it numbered callbacks, a task each."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.process: subprocess.Popen[str] | None = None
        self.port = 0
        self.sent: dict[str, bytes] = {}
        self.acknowledged: list[str] = []

    async def start(self, *point: str) -> None:
        await asyncio.to_thread(self._start, point)

    def _start(self, point: tuple[str, ...]) -> None:
        command = [sys.executable, "-m", "tests.ingest.spool_child", str(self.directory), *point]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.strip().isdigit():  # and not a line of the log
                self.port = int(line)
                return

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    async def send(self, task: str, numbers: Iterator[int], ended: asyncio.Event) -> None:
        """One callback after the other, until told to end or the receiver is gone."""
        url = f"http://127.0.0.1:{self.port}/v1/callbacks/shumei_audio/default/{TOKEN}"
        async with aiohttp.ClientSession() as client:
            for number in numbers:
                id = f"{task}_{number:06d}"
                data = b'{"requestId":"%s","btId":"%s","fill":"%s"}' % (
                    id.encode(),
                    task.encode(),
                    b"x" * 900,
                )
                self.sent[id] = data
                try:
                    async with client.post(url, data=data, headers=JSON) as answer:
                        if answer.status == 200:
                            self.acknowledged.append(id)
                except aiohttp.ClientError:
                    return
                if ended.is_set():
                    return

    async def drained(self) -> None:
        """Lets everything come to Kafka and ends the receiver in order."""
        (self.directory / "away").unlink(missing_ok=True)
        idle = self.directory / "idle"
        idle.unlink(missing_ok=True)
        await until(idle.exists)
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self.process.wait, 20) == 0

    def judge(self) -> int:
        """Nothing lost, invented or altered, and order within a task -> how many came more than once."""
        lines = [line for line in (self.directory / "kafka").read_bytes().splitlines() if line.endswith(b"]")]
        first: dict[str, str] = {}
        for key, value, id in map(orjson.loads, lines):
            assert value.encode() == self.sent[id]
            assert key == f"default/{id.rpartition('_')[0]}"
            first.setdefault(id, value)
        assert set(self.acknowledged) <= set(first)
        for task in {id.rpartition("_")[0] for id in first}:
            arrived = [id for id in first if id.rpartition("_")[0] == task]
            assert arrived == sorted(arrived)
        return len(lines) - len(first)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    life = Life(tmp_path)
    yield life
    if life.process is not None and life.process.poll() is None:
        life.kill()
    if life.process is not None and life.process.stdout is not None:
        life.process.stdout.close()


@pytest.mark.parametrize("seed", range(3))
async def test_killed_at_random_moments_while_kafka_comes_and_goes(life: Life, seed: int) -> None:
    chance = random.Random(seed)
    away = life.directory / "away"
    numbers = [iter(range(10**6)) for _ in range(TASKS)]
    for _ in range(4):
        away.touch() if chance.random() < 0.7 else away.unlink(missing_ok=True)
        await life.start()
        ended = asyncio.Event()
        senders = [asyncio.create_task(life.send(f"t{n}", numbers[n], ended)) for n in range(TASKS)]
        for _ in range(chance.randint(1, 3)):
            before = len(life.acknowledged)
            enough = before + chance.randint(1, 150)
            await until(lambda enough=enough: len(life.acknowledged) >= enough)
            away.unlink() if away.exists() else away.touch()
        life.kill()
        await asyncio.gather(*senders)
    await life.start()
    await life.drained()
    assert len(life.acknowledged) > 4
    life.judge()


@pytest.mark.parametrize("point", ["before-append", "after-append"])
async def test_killed_on_either_side_of_a_commit(life: Life, point: str) -> None:
    (life.directory / "away").touch()
    await life.start(point)
    numbers = [iter(range(10**6)) for _ in range(TASKS)]
    await asyncio.gather(*(life.send(f"t{n}", numbers[n], asyncio.Event()) for n in range(TASKS)))
    await life.start()
    await life.drained()
    assert life.acknowledged
    life.judge()


@pytest.mark.parametrize("point", ["before-read", "after-read", "before-remove", "after-remove"])
async def test_killed_between_two_steps_of_draining(life: Life, point: str) -> None:
    (life.directory / "away").touch()
    await life.start()
    numbers = [iter(range(200)) for _ in range(TASKS)]
    await asyncio.gather(*(life.send(f"t{n}", numbers[n], asyncio.Event()) for n in range(TASKS)))
    life.kill()
    assert len(life.acknowledged) == 200 * TASKS
    (life.directory / "away").unlink()
    await life.start(point)
    assert life.process is not None
    assert await asyncio.to_thread(life.process.wait, 20) == -signal.SIGKILL
    await life.start()
    await life.drained()
    # What Kafka had acknowledged and the disk had not forgotten came again, with the same ids.
    assert (life.judge() >= 200) == (point == "before-remove")

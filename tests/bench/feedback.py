"""What the figures about people and vendors take: `python -m tests.bench.feedback`. The memory of all that a process
of the policy may keep for them, and the time a verdict."""

import time
import tracemalloc
from typing import Any

from moderato.times import rfc3339
from sinks.feedback import agreement, pairing
from sinks.feedback.live import Feedback
from tests.bench.backtest import verdicts
from tests.sinks.support import verdict

_BEGIN = 1_795_248_000.0
_RECORDS = 50_000


def main() -> None:
    """Prints one table."""
    print(f"| memory at most, MiB | {memory() / 1024**2:.0f} |")
    print(f"| microseconds a verdict, nine of ten of which pass | {pace() * 1e6:.1f} |")


def memory() -> int:
    """Bytes, with as many flagged verdicts, minutes and ids as are kept at most."""
    feedback = Feedback()
    tracemalloc.start()
    for number in range(2 * (pairing.KEPT + agreement.KEPT)):
        feedback.see(_flagged(number))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return kept


def pace() -> float:
    """CPU seconds a verdict: the least of five rounds."""
    made = list(verdicts(_RECORDS, 2_000))
    rounds = []
    for _ in range(5):
        feedback, began = Feedback(), time.process_time()
        for each in made:
            feedback.see(each)
        rounds.append((time.process_time() - began) / _RECORDS)
    return min(rounds)


def _flagged(number: int) -> dict[str, Any]:
    # Each in a room, a task and a segment of its own, so many a second that no minute is over before there are enough.
    at = _BEGIN + number / 1000
    return verdict(
        id=f"{number:040d}#0",
        room=f"room-{number:032d}",
        task_id=f"{number:040d}",
        segment_id=f"{number:040d}_1",
        user=f"u-{number}",
        span={"start": at - 10, "end": at, "clock": "epoch"},
        occurred_at=rfc3339(at),
        normalized_at=rfc3339(at),
    )


if __name__ == "__main__":
    main()

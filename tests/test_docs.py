"""What the documents claim, run."""

import asyncio
import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.codec import encode
from moderato.sources import Source

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not {".venv", "node_modules", ".git"} & set(path.relative_to(ROOT).parts)
)


def verdict(number: int, **changes: Any) -> Message:
    value = {
        "severity_level": 3,
        "room": "r",
        "user": "u",
        "category": "abuse",
        "text": str(number),
    } | changes
    headers = encode(
        "verdict",
        id=f"raw-{number}#0",
        source=Source.SHUMEI_AUDIO,
        tenant="default",
        key="default/r",
        time="2026-11-21T08:00:00.000Z",
    )
    return Message(topics.VERDICTS, b"default/r", orjson.dumps(value), headers)


async def test_the_consumer_in_the_document_handles_each_verdict_once(
    connection: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/consuming.md").read_text(), re.S)
    document: dict[str, Any] = {}
    exec(compile(code, "docs/consuming.md", "exec"), document)
    publisher = Publisher(connection, deadline=5)
    await publisher.start([topics.VERDICTS])
    # A duplicate, and a value that did not exist when the consumer was written.
    messages = [verdict(1), verdict(2), verdict(1), verdict(3, category="brand-new")]
    await publisher.publish_all(messages)
    stop = asyncio.Event()
    handled = []

    async def handle(record: dict[str, Any]) -> None:
        handled.append(record["text"])
        await document["handle"](record)
        if len(handled) == 3:
            stop.set()

    async with asyncio.timeout(20):
        await document["consume"](connection.bootstrap, handle, stop)
    assert handled == ["1", "2", "3"]
    assert "brand-new" in capsys.readouterr().out
    await publisher.stop()


def test_the_memory_of_the_documents_consumer_is_bounded() -> None:
    [code] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/consuming.md").read_text(), re.S)
    document: dict[str, Any] = {}
    exec(compile(code, "docs/consuming.md", "exec"), document)
    seen = document["Seen"](size=2)
    assert [seen.first_time(id) for id in "abacb"] == [True, True, False, True, True]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            place, _, _ = target.partition("#")
            assert not place or (path.parent / place).exists(), f"{path.name}: {target}"

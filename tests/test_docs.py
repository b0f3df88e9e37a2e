"""What the documents claim, run."""

import asyncio
import base64
import re
import textwrap
from pathlib import Path
from typing import Any

import orjson
import pytest

from ingest.routes import check_settings
from moderato import topics
from moderato.bus.connection import Connection
from moderato.bus.publisher import Message, Publisher
from moderato.codec import encode
from moderato.settings import load
from moderato.sources import Source
from normalize.scale import BUILT_IN
from normalize.scale import load as load_tables

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


def configurations(path: Path) -> list[str]:
    blocks = re.findall(r"^( *)```yaml\n(.*?)^ *```", path.read_text(encoding="utf-8"), re.S | re.M)
    return [textwrap.dedent(block) for _, block in blocks if "tenants:" in block]


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", ROOT / "docs/configuration.md"], ids=lambda path: path.name
)
def test_the_configurations_in_the_documents_are_accepted(path: Path, tmp_path: Path) -> None:
    secret = base64.b64encode(bytes(range(32))).decode()
    for text in configurations(path):
        files = set(re.findall(r"/(?:run/secrets|etc)/[\w./-]+", text))
        for name in files:
            local = tmp_path / name.lstrip("/")
            local.parent.mkdir(parents=True, exist_ok=True)
            local.write_text(secret)
            text = text.replace(name, str(local))
        text = text.replace("/var/lib", str(tmp_path))  # others may not write there
        config = tmp_path / "moderato.yaml"
        config.write_text(text, encoding="utf-8")
        settings = load(config)
        assert settings.tenants
        assert check_settings(settings) == []
    assert configurations(path)


def test_the_tables_in_the_document_are_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
    [block] = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if "version: acme" in block]
    overrides = tmp_path / "acme.yaml"
    overrides.write_text(block, encoding="utf-8")
    assert load_tables(BUILT_IN, overrides).version == "2026.11.1+acme.3"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not re.match(r"[a-z]+:", target):
            place, _, _ = target.partition("#")
            assert not place or (path.parent / place).exists(), f"{path.name}: {target}"

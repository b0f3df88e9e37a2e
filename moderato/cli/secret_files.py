"""Which files with secrets every user of the machine could read."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moderato.settings import Settings
from moderato.yaml_file import read_mapping

_SECRET_KEYS = {"tokens", "secrets", "capability_keys", "password"}


def readable_by_all(config: Path | None, settings: Settings) -> list[Path]:
    """Files of secrets that the configuration names, the configuration itself when it holds any, and the TLS key."""
    data = read_mapping(config) if config else {}
    found = list(dict.fromkeys(_named(data, secret=False)))
    if config and _inline(data, secret=False):
        found.append(config)
    if settings.kafka.tls and settings.kafka.tls.key_file:
        found.append(settings.kafka.tls.key_file)
    return [path for path in found if path.exists() and path.stat().st_mode & stat.S_IROTH]


def _named(value: Any, *, secret: bool) -> Iterator[Path]:
    """The files in `{file: …}` where a secret is due."""
    if isinstance(value, dict):
        if secret and set(value) == {"file"}:
            yield Path(value["file"])
            return
        for key, part in value.items():
            yield from _named(part, secret=secret or key in _SECRET_KEYS)
    elif isinstance(value, list):
        for part in value:
            yield from _named(part, secret=secret)


def _inline(value: Any, *, secret: bool) -> bool:
    if isinstance(value, dict):
        return not (secret and set(value) == {"file"}) and any(
            _inline(part, secret=secret or key in _SECRET_KEYS) for key, part in value.items()
        )
    if isinstance(value, list):
        return any(_inline(part, secret=secret) for part in value)
    return secret and value is not None

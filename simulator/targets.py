"""Whom the vendors call: a receiver's tenants, their tokens, and the secrets that each vendor signs with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moderato.errors import Fatal
from moderato.sources import Source
from simulator.callbacks import SOURCES

_Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True, slots=True)
class Target:
    """One source of one tenant. Names of `secrets`: agora_voice `uid`, `seed`; agora_ncs `secret`; agora_video
    `callback_addr` (optional); yidun_audio `secret_id`, `business_id`, `secret_key`; yunxin_rtc `app_secret`."""

    source: Source
    tenant: str
    token: str = field(repr=False)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)

    def url(self, base: str) -> str:
        """The callback address under a receiver's base address."""
        return f"{base.rstrip('/')}/v1/callbacks/{self.source}/{self.tenant}/{self.token}"


def example_targets(tenant: str = "default", token: str = "simulated-vendor-token") -> tuple[Target, ...]:  # noqa: S107
    """A target for every source, with secrets that are no secret: for trying out on one machine."""
    return tuple(Target(source, tenant, token, _EXAMPLE_SECRETS.get(source, {})) for source in Source)


_EXAMPLE_SECRETS: dict[Source, dict[str, str]] = {
    Source.AGORA_VOICE: {"uid": "1234567890123456", "seed": "simulated_seed"},
    Source.AGORA_VIDEO: {"callback_addr": "http://receiver.example.com/agora_video"},
    Source.AGORA_NCS: {"secret": "simulated-ncs-secret"},
    Source.YIDUN_AUDIO: {
        "secret_id": "simulated-secret-id",
        "business_id": "simulated-business-id",
        "secret_key": "simulated-secret-key",
    },
    Source.YUNXIN_RTC: {"app_secret": "simulated-app-secret"},
}


class _Entry(BaseModel):
    # YAML reads a uid as a number.
    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    source: Source
    tenant: _Name = "default"
    token: _Name
    secrets: dict[str, _Name] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    targets: list[_Entry] = Field(min_length=1)


def load_targets(path: Path) -> tuple[Target, ...]:
    """Targets of a YAML file, `targets: [{source, tenant, token, secrets: {…}}, …]`. Raises Fatal with every fault."""
    try:
        entries = _File.model_validate(yaml.safe_load(path.read_text(encoding="utf-8"))).targets
    except OSError as error:
        raise Fatal(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Fatal(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        # The input is left out: it may be a secret.
        faults = [f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()]
        raise Fatal("\n".join(faults)) from None
    missing = [
        f"{path}: targets.{place}.secrets.{name}: {entry.source} signs with it; give it"
        for place, entry in enumerate(entries)
        for name in SOURCES[entry.source].secrets
        if name not in entry.secrets
    ]
    if missing:
        raise Fatal("\n".join(missing))
    return tuple(Target(entry.source, entry.tenant, entry.token, entry.secrets) for entry in entries)

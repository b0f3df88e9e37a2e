"""The configuration: one YAML file, environment variables over it, secrets from files. Validated at start, whole.

`MODERATO_CONFIG` or `--config` names the file. `MODERATO_<SECTION>__<FIELD>` overrides one field. Wherever a secret
is due, `{file: /path}` reads it from that file (one trailing newline is dropped), as Kubernetes and Docker mount them.
"""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias
from zoneinfo import ZoneInfo

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from moderato.credentials import BaseUrl, Credentials
from moderato.errors import Fatal
from moderato.records import ActionType
from moderato.secrets import STRICT, Secret
from moderato.sources import Source
from moderato.yaml_file import read_mapping

PREFIX = "MODERATO_"
_TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


def _zone(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(f"no such time zone: {value!r} (an IANA name like Asia/Shanghai is due)") from error


class _Section(BaseModel):
    model_config = STRICT


class Sasl(_Section):
    """SASL: username and password. `password` may be `{file: …}`."""

    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    username: str = Field(min_length=1)
    password: Secret


class Tls(_Section):
    """TLS to the brokers. Without `ca_file` the system's certificates count; the last two are for mutual TLS."""

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @model_validator(mode="after")
    def _complete(self) -> "Tls":
        faults = [
            f"{name}: no such file: {path}"
            for name in ("ca_file", "certificate_file", "key_file")
            if (path := getattr(self, name)) and not path.is_file()
        ]
        if (self.certificate_file is None) != (self.key_file is None):
            faults.append("certificate_file and key_file go together")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class Kafka(_Section):
    """Brokers. Without `bootstrap`, `moderato run all` starts the embedded broker."""

    bootstrap: str | None = None
    tls: Tls | None = None
    sasl: Sasl | None = None
    request_timeout: float = Field(default=5.0, gt=0, le=60)  # seconds; a frozen broker is noticed after this
    # A process that comes back under the same host name within the session time-out (15 s) gets its partitions back
    # without a rebalance. For StatefulSets: the names have to be lasting, and no two alike.
    static_membership: bool = False

    @field_validator("bootstrap")
    @classmethod
    def _addresses(cls, value: str | None) -> str | None:
        if value is None:
            return None
        addresses = [address.strip() for address in value.split(",") if address.strip()]
        for address in addresses:
            host, _, port = address.rpartition(":")
            if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
                raise ValueError(f"{address!r} is not host:port")
        if not addresses:
            raise ValueError("no address given")
        return ",".join(addresses)


class Http(_Section):
    """The receiver. Times in seconds; `publish_deadline` stays below Yidun's time-out of 2 s."""

    host: str = "0.0.0.0"  # noqa: S104 - callbacks come from outside
    port: int = Field(default=8080, ge=0, le=65535)
    max_body_bytes: int = Field(default=1024 * 1024, ge=1024, le=1_900_000)
    body_timeout: float = Field(default=5.0, gt=0, le=60)
    publish_deadline: float = Field(default=1.5, gt=0, le=30)


class Admin(_Section):
    """/livez, /readyz and /metrics."""

    host: str = "0.0.0.0"  # noqa: S104 - probes and scrapes come from outside
    port: int = Field(default=9090, ge=0, le=65535)


class Log(_Section):
    """`console` is for people at a terminal."""

    format: Literal["json", "console"] = "json"
    level: Literal["debug", "info", "warning", "error"] = "info"


class SourceSettings(_Section):
    """One source of one tenant. `tokens` are the static ones of its callback URL, several at once for rotation;
    `secrets` are those its signature needs, by the names that CONTRIBUTING.md and `moderato doctor` list."""

    tokens: tuple[Secret, ...] = ()
    secrets: dict[str, Secret] = {}

    @field_validator("tokens")
    @classmethod
    def _unguessable(cls, tokens: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for place, token in enumerate(tokens):
            if not re.fullmatch(r"[A-Za-z0-9_~-]{16,256}", token.get_secret_value()):
                raise ValueError(f"token {place}: 16 to 256 characters of A-Z a-z 0-9 _ ~ - are due")
        return tokens


class Webhook(_Section):
    """A Standard Webhooks endpoint. Several secrets at once for rotation: every delivery carries one signature each."""

    url: str = Field(pattern=r"^https?://[^\s/]+")
    secrets: tuple[Secret, ...] = Field(min_length=1)
    timeout: float = Field(default=5.0, gt=0, le=10)  # seconds an attempt
    allow_private: bool = False  # loopback and private addresses, refused by default

    @field_validator("secrets")
    @classmethod
    def _keys(cls, secrets: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for place, secret in enumerate(secrets):
            if not re.fullmatch(r"(?:whsec_)?[A-Za-z0-9+/]{32,88}={0,2}", secret.get_secret_value()):
                raise ValueError(
                    f"secret {place}: base64 of 24 to 64 bytes is due, with or without whsec_ before it"
                )
        return secrets


class Route(_Section):
    """Where a tenant's actions go. Without `actions` or `sources`: all that the executor can do, of every source.
    `kafka`: the platform reads the actions' topic itself."""

    executor: Literal["agora", "yunxin", "webhook", "kafka", "log"]
    actions: tuple[ActionType, ...] = ()
    sources: tuple[Source, ...] = ()


class Tenant(_Section):
    """One customer of this installation."""

    timezone: Annotated[ZoneInfo, BeforeValidator(_zone)] = ZoneInfo("Asia/Shanghai")
    tables: Path | None = None
    sources: dict[Source, SourceSettings] = {}
    credentials: Credentials = Credentials()
    webhook: Webhook | None = None
    # Without any: the webhook when there is one, or else the log.
    enforcement: tuple[Route, ...] = ()

    @model_validator(mode="after")
    def _reachable(self) -> "Tenant":
        needs = {
            "agora": ("credentials.agora", self.credentials.agora),
            "yunxin": ("credentials.yunxin", self.credentials.yunxin),
            "webhook": ("webhook", self.webhook),
        }
        faults = [
            f"enforcement.{place}: {route.executor} needs {needs[route.executor][0]}"
            for place, route in enumerate(self.enforcement)
            if route.executor in needs and needs[route.executor][1] is None
        ]
        if faults:
            raise ValueError("; ".join(faults))
        return self


class Policy(_Section):
    """Without a file, the policy that ships with Moderato."""

    file: Path | None = None


class Spool(_Section):
    """Where the receiver keeps callbacks on local disk while Kafka does not answer, and how much and how long at most
    (bytes and seconds)."""

    directory: Path
    max_bytes: int = Field(default=2 * 1024**3, ge=1024**2)
    max_age: float = Field(default=86_400.0, gt=0)


class Sessions(_Section):
    """Moderation that is started and stopped through Moderato. `callback_base_url` is where the vendors reach the
    receivers. Times in seconds: how long starting may take before the session fails, and how long a session that is
    over can still be read."""

    callback_base_url: BaseUrl
    start_timeout: float = Field(default=600.0, ge=10, le=86_400)
    # Longer than a request is kept, or a request could come back to life.
    keep_ended: float = Field(default=7 * 86_400.0, ge=2 * 86_400, le=365 * 86_400)


Scope: TypeAlias = Literal["sessions:read", "sessions:write", "actions:read", "actions:write"]


class ApiToken(_Section):
    """What one caller of the API may do, and for which tenants: without `tenants`, for all."""

    token: Secret
    scopes: tuple[Scope, ...] = Field(min_length=1)
    tenants: tuple[str, ...] = ()

    @field_validator("token")
    @classmethod
    def _unguessable(cls, token: SecretStr) -> SecretStr:
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{24,256}", token.get_secret_value()):
            raise ValueError("24 to 256 characters of A-Z a-z 0-9 . _ ~ + / = - are due")
        return token


class Api(_Section):
    """The API for platforms; it runs in the controller. `tokens` by the names that its log has of the callers."""

    host: str = "0.0.0.0"  # noqa: S104 - platforms call from outside
    port: int = Field(default=8081, ge=0, le=65535)
    tokens: dict[str, ApiToken] = Field(min_length=1)


class Tracing(_Section):
    """Traces to an OpenTelemetry collector (OTLP over HTTP); needs the extra `tracing`. `sample`: the share of
    callbacks whose trace is kept, 0 to 1; `headers` go with every export."""

    endpoint: BaseUrl
    sample: float = Field(default=0.01, ge=0, le=1)
    headers: dict[str, Secret] = {}


class DeadLetters(_Section):
    """How much may go to the dead letters before a stage halts: so many records in a row, or more than this share of
    the last 10,000 (of 1,000 at least)."""

    max_consecutive: int = Field(default=1000, ge=1)
    max_share: float = Field(default=0.5, gt=0, le=1)


class Settings(BaseSettings):
    """Everything that can be set. Build it with `load`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    kafka: Kafka = Kafka()
    http: Http = Http()
    spool: Spool | None = None
    admin: Admin = Admin()
    log: Log = Log()
    sessions: Sessions | None = None
    api: Api | None = None
    policy: Policy = Policy()
    tracing: Tracing | None = None
    dead_letters: DeadLetters = DeadLetters()
    capability_keys: tuple[Secret, ...] = ()
    tenants: dict[str, Tenant] = {}

    @field_validator("tenants")
    @classmethod
    def _names(cls, tenants: dict[str, Tenant]) -> dict[str, Tenant]:
        for name in tenants:
            if not _TENANT.fullmatch(name):
                raise ValueError(f"{name!r}: a tenant's name is 1 to 63 characters of a-z 0-9 -")
        return tenants

    @field_validator("capability_keys")
    @classmethod
    def _long_enough(cls, keys: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for place, key in enumerate(keys):
            if len(key.get_secret_value()) < 32:
                raise ValueError(f"key {place}: at least 32 characters are due")
        return keys

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, which comes in as keyword arguments."""
        return env_settings, init_settings


def load(path: Path | None = None) -> Settings:
    """The settings of a file and the environment. Raises Fatal with one line a fault; no secret is in any of them."""
    if path is None and (named := os.environ.get(f"{PREFIX}CONFIG")):
        path = Path(named)
    faults: list[str] = []
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = read_mapping(path)
        except Fatal as fault:
            faults.append(str(fault))
    faults += _unknown_variables()
    where = f"{path}: " if path else ""
    try:
        settings = Settings(**data)
    except ValidationError as error:
        faults += [_line(where, fault["loc"], fault["msg"]) for fault in error.errors(include_input=False)]
    except (TypeError, ValueError) as error:
        # pydantic-settings: a variable of a nested section that is not JSON, a key that is no text.
        faults.append(f"{where}{error}")
    else:
        if not faults:
            return settings
    raise Fatal("\n".join(faults))


def _line(where: str, place: tuple[int | str, ...], message: str) -> str:
    return f"{where}{'.'.join(map(str, place)) or 'settings'}: {message.removeprefix('Value error, ')}"


def _unknown_variables() -> list[str]:
    known = {"CONFIG", *(name.upper() for name in Settings.model_fields)}
    return [
        f"the environment variable {name}: no such section (there are: {', '.join(sorted(known))})"
        for name in sorted(os.environ)
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).partition("__")[0] not in known
    ]

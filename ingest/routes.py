"""Where callbacks may arrive: one route for each source of each tenant, made from the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ingest.answers import Acknowledgement
from ingest.callbacks import CALLBACKS
from ingest.callbacks.contract import Callback
from ingest.refusals import OF_SOURCE, Refused
from ingest.spool.file import fault_of
from ingest.tally import Tally
from ingest.tokens import Capabilities, Capability, StaticTokens
from moderato import topics
from moderato.settings import Settings, SourceSettings
from moderato.sources import Source

PREFIX = "/v1/callbacks"


@dataclass(frozen=True, slots=True)
class Route:
    """All that a callback of one source to one tenant needs. `secrets` are those of its signature."""

    source: Source
    tenant: str
    topic: str
    callback: Callback
    secrets: Mapping[str, str]
    tokens: StaticTokens
    capabilities: Capabilities
    acknowledgement: Acknowledgement
    tally: Tally

    def authenticate(self, token: str, now: float) -> Capability | None:
        """What a capability carries, None for a static token. Raises Refused for anything else."""
        if "." in token:
            return self.capabilities.verify(token, self.source, self.tenant, now)
        if not self.tokens.match(token):
            raise Refused("bad_token", "the token in the URL is not one of this source's")
        return None


def routes(settings: Settings) -> dict[str, Route]:
    """The routes by path, up to the slash before the token."""
    capabilities = Capabilities([key.get_secret_value() for key in settings.capability_keys])
    tallies: dict[Source, Tally] = {}
    found: dict[str, Route] = {}
    for tenant, source, configured in _configured(settings):
        callback = CALLBACKS[source]
        if source not in tallies:
            tallies[source] = Tally(source, OF_SOURCE, observes=not callback.enforced)
        found[f"{PREFIX}/{source}/{tenant}"] = Route(
            source=source,
            tenant=tenant,
            topic=topics.raw(source),
            callback=callback,
            secrets={name: secret.get_secret_value() for name, secret in configured.secrets.items()},
            tokens=StaticTokens([token.get_secret_value() for token in configured.tokens]),
            capabilities=capabilities,
            acknowledgement=Acknowledgement(callback.acknowledgement),
            tally=tallies[source],
        )
    return found


def check_settings(settings: Settings) -> list[str]:
    """Every fault that would leave callbacks unauthenticated, unreachable or unspooled, each with its setting."""
    faults = [
        f"tenants.{tenant}.sources.{source}.{fault}"
        for tenant, source, configured in _configured(settings)
        for fault in _faults(CALLBACKS[source], configured, capable=bool(settings.capability_keys))
    ]
    if not any(tenant.sources for tenant in settings.tenants.values()):
        faults.append("tenants: no source is configured, so that no callback could be accepted")
    if settings.spool and (fault := fault_of(settings.spool.directory)):
        faults.append(f"spool.directory: {fault}")
    return faults


def _configured(settings: Settings) -> Iterator[tuple[str, Source, SourceSettings]]:
    for name, tenant in settings.tenants.items():
        for source, configured in tenant.sources.items():
            yield name, source, configured


def _faults(callback: Callback, configured: SourceSettings, *, capable: bool) -> Iterator[str]:
    for alternatives in callback.needs:
        if not any(name in configured.secrets for name in alternatives):
            others = "".join(f" (or {name})" for name in alternatives[1:])
            yield f"secrets.{alternatives[0]}{others}: missing, so that its signature cannot be verified"
    known = [name for alternatives in callback.needs for name in alternatives] + list(callback.may)
    for name in configured.secrets:
        if name not in known:
            yield f"secrets.{name}: no such secret (there are: {', '.join(known) or 'none'})"
    if not configured.tokens and not capable:
        yield "tokens: none, and there are no capability_keys: no callback could be authenticated"

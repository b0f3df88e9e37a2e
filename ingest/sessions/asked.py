"""What somebody asks the Sessions API to start: checked whole, before any vendor is called."""

import uuid
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.clients import KINDS
from ingest.clients.contract import Parameters
from moderato.api.callers import Caller
from moderato.api.problem import Fault, invalid
from moderato.api.wish import faults_of, tenant_of
from moderato.records import SessionRequest
from moderato.settings import Tenant
from moderato.sources import Source
from moderato.times import now

_HIDDEN = "***"


class Wish(BaseModel):
    """Body of POST /v1/sessions. `parameters` are the source's own. `tenant` may be left out by a caller who has but
    one. `user` is the speaker, when the stream has one alone: verdicts that name nobody are about them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    source: str
    parameters: dict[str, Any]
    tenant: str | None = None
    user: str | None = Field(default=None, min_length=1, max_length=128)


def request_of(
    body: dict[str, Any], caller: Caller, tenants: Mapping[str, Tenant], idempotency_key: str | None
) -> SessionRequest:
    """The request that a body asks for. Raises Problem that names every fault with its place."""
    faults: list[Fault] = []
    wish: Wish | None = None
    try:
        wish = Wish.model_validate(body)
    except ValidationError as error:
        faults += faults_of(error, body, "")
    source = body.get("source")
    tenant = tenant_of(body.get("tenant"), caller, tenants, faults)
    parameters = _parameters(source, body.get("parameters"), faults)
    if wish is not None and tenant is not None and parameters is not None:
        faults += [
            Fault("/source", f"not set up here: tenants.{tenant}.{fault}")
            for fault in KINDS[Source(wish.source)].missing(tenants[tenant])
        ]
    if faults or wish is None or tenant is None or parameters is None:
        raise invalid(faults)
    return SessionRequest(
        id=_id(tenant, idempotency_key),
        kind="start",
        tenant=tenant,
        source=Source(wish.source),
        room=parameters.room_name,
        user=wish.user,
        parameters=parameters.model_dump(mode="json", exclude_unset=True),
        digest=_digest(wish) if idempotency_key else None,
        requested_by=caller.name,
        created_at=now(),
    )


def shown(source: Source, parameters: dict[str, Any]) -> dict[str, Any]:
    """Parameters without what is secret in them."""
    try:
        return _without_secrets(KINDS[source].parameters.model_validate(parameters))
    except (KeyError, ValidationError):
        return {}


def _parameters(source: Any, given: Any, faults: list[Fault]) -> Parameters | None:
    if not isinstance(source, str):
        return None
    if source not in KINDS:
        faults.append(Fault("/source", f"nothing is started there; the sources are {', '.join(KINDS)}"))
        return None
    if not isinstance(given, dict):
        return None
    try:
        return KINDS[Source(source)].parameters.model_validate(given)
    except ValidationError as error:
        faults += faults_of(error, given, "/parameters")
        return None


def _id(tenant: str, idempotency_key: str | None) -> str:
    """The same key of a tenant always gives the same session, wherever and whenever it is asked for."""
    if idempotency_key is None:
        return f"s-{uuid.uuid4().hex}"
    return f"s-{blake2b(f'{tenant}/{idempotency_key}'.encode(), digest_size=16).hexdigest()}"


def _digest(wish: Wish) -> str:
    canonical = orjson.dumps(wish.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return blake2b(canonical, digest_size=16).hexdigest()


def _without_secrets(model: BaseModel) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, field in type(model).model_fields.items():
        if name not in model.model_fields_set:
            continue
        extra = field.json_schema_extra
        value = getattr(model, name)
        if isinstance(extra, dict) and extra.get("writeOnly") and value is not None:
            found[name] = _HIDDEN
        elif isinstance(value, BaseModel):
            found[name] = _without_secrets(value)
        elif isinstance(value, list) and any(isinstance(item, BaseModel) for item in value):
            found[name] = [_without_secrets(item) if isinstance(item, BaseModel) else item for item in value]
        else:
            found[name] = model.model_dump(mode="json", include={name})[name]
    return found

"""The Sessions API as its OpenAPI document describes it."""

from typing import Any

from ingest.clients import KINDS
from ingest.sessions.asked import Wish
from moderato.api.server import Operation
from moderato.records import SessionState

PATH = "/v1/sessions"
_ONE_PATH = f"{PATH}/{{id}}"
FILTERS = ("state", "source", "tenant", "room")
PAGE, MOST_PAGE = 50, 200


def schemas() -> dict[str, Any]:
    """What the operations' documents refer to."""
    found: dict[str, Any] = {"Session": _SESSION_SCHEMA}
    wishes = []
    for source, kind in KINDS.items():
        schema = kind.parameters.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[kind.parameters.__name__] = schema
        wish = Wish.model_json_schema(ref_template="#/components/schemas/{model}")
        wish["title"] = f"Start{kind.parameters.__name__}"
        wish["properties"] |= {
            "source": {"const": str(source)},
            "parameters": {"$ref": f"#/components/schemas/{kind.parameters.__name__}"},
        }
        found[wish["title"]] = wish
        wishes.append((source, wish["title"]))
    found["Start"] = {
        "oneOf": [{"$ref": f"#/components/schemas/{title}"} for _, title in wishes],
        "discriminator": {
            "propertyName": "source",
            "mapping": {str(source): f"#/components/schemas/{title}" for source, title in wishes},
        },
    }
    return found


def _text(description: str, *, null: bool = False, **more: Any) -> dict[str, Any]:
    return {"type": ["string", "null"] if null else "string", "description": description} | more


_STATES = [str(state) for state in SessionState]
_SESSION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": _text("What verdicts, signals and actions carry as `session_id`."),
        "tenant": _text("The customer of this installation."),
        "source": _text("The vendor product that watches.", examples=[str(source) for source in KINDS]),
        "state": _text("Open: bear a value that you do not know.", examples=_STATES),
        "watched": {"type": "boolean", "description": "Whether a task is known to run."},
        "room": _text("The room or channel.", null=True),
        "user": _text("The speaker, when the stream has one alone.", null=True),
        "task_id": _text("The vendor's task.", null=True),
        "reason": _text("Why it ended or is to end, in one word.", null=True),
        "fault": {
            "type": ["object", "null"],
            "description": "What went wrong last.",
            "properties": {
                "code": _text("The vendor's code.", null=True),
                "message": _text("The vendor's words, or ours."),
                "at": _text("When.", format="date-time"),
            },
        },
        "resubmits": {"type": "integer", "description": "How many tasks died and were started anew."},
        "parameters": {"type": "object", "description": "As they were given; what is secret shows as ***."},
        "requested_by": _text("The name of the token that asked."),
        "created_at": _text("When it was asked for.", format="date-time"),
        "active_at": _text("When the task that runs was started.", null=True, format="date-time"),
        "ended_at": _text("When it ended or failed.", null=True, format="date-time"),
        "updated_at": _text("When the controller last wrote it down.", format="date-time"),
    },
}
_SESSION_SCHEMA["required"] = list(_SESSION_SCHEMA["properties"])


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_ONE = _json({"$ref": "#/components/schemas/Session"})
_WAIT_PARAMETER = {
    "name": "wait",
    "in": "query",
    "description": "Answer only when it has come so far, or after these seconds.",
    "schema": {"type": "string", "pattern": "^([0-9]|[1-5][0-9]|60)s$", "examples": ["10s"]},
}
_GONE = {"404": "No such session."}
START = Operation(
    "POST",
    PATH,
    "sessions:write",
    {
        "operationId": "startSession",
        "summary": "Start moderation of a room",
        "parameters": [
            _WAIT_PARAMETER,
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same key of a tenant gives the same session, also after a restart.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
            },
        ],
        "requestBody": {"required": True, "content": _json({"$ref": "#/components/schemas/Start"})},
        "responses": {
            "202": {
                "description": "The request is safe, and a controller will start it.",
                "headers": {"Location": {"schema": {"type": "string"}}},
                "content": _ONE,
                "links": {
                    operation: {"operationId": operation, "parameters": {"id": "$response.body#/id"}}
                    for operation in ("showSession", "stopSession")
                },
            }
        },
        "errors": {
            "409": "The Idempotency-Key stands for another request.",
            "422": "Everything that is wrong.",
        },
    },
    ("wait",),
    ("Idempotency-Key",),
    takes_body=True,
)
SHOW = Operation(
    "GET",
    _ONE_PATH,
    "sessions:read",
    {
        "operationId": "showSession",
        "summary": "Show a session",
        "responses": {"200": {"description": "As it is.", "content": _ONE}},
        "errors": _GONE,
    },
)
LIST = Operation(
    "GET",
    PATH,
    "sessions:read",
    {
        "operationId": "listSessions",
        "summary": "List sessions, the newest first",
        "parameters": [
            {"name": "state", "in": "query", "schema": {"type": "string", "examples": _STATES}},
            {
                "name": "source",
                "in": "query",
                "schema": {"type": "string", "examples": [str(source) for source in KINDS]},
            },
            {"name": "tenant", "in": "query", "schema": {"type": "string"}},
            {"name": "room", "in": "query", "schema": {"type": "string"}},
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST_PAGE, "default": PAGE},
            },
            {
                "name": "after",
                "in": "query",
                "description": "The `next` of the page before.",
                "schema": {"type": "string"},
            },
        ],
        "responses": {
            "200": {
                "description": "A page; `next` is null on the last.",
                "content": _json(
                    {
                        "type": "object",
                        "required": ["sessions", "next"],
                        "properties": {
                            "sessions": {"type": "array", "items": {"$ref": "#/components/schemas/Session"}},
                            "next": {"type": ["string", "null"]},
                        },
                    }
                ),
            }
        },
        "errors": {"422": "Everything that is wrong."},
    },
    (*FILTERS, "limit", "after"),
)
STOP = Operation(
    "DELETE",
    _ONE_PATH,
    "sessions:write",
    {
        "operationId": "stopSession",
        "summary": "Stop a session",
        "parameters": [_WAIT_PARAMETER],
        "responses": {
            "200": {"description": "It is over.", "content": _ONE},
            "202": {"description": "The request is safe, and a controller will stop it.", "content": _ONE},
        },
        "errors": _GONE | {"422": "Everything that is wrong."},
    },
    ("wait",),
)

OPERATIONS = (START, LIST, SHOW, STOP)

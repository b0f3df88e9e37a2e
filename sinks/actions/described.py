"""The Actions API as the OpenAPI document describes it."""

from typing import Any

from moderato import schemas as records
from moderato.api.server import Operation
from sinks.actions.asked import Wish

PATH = "/v1/actions"
_ONE_PATH = f"{PATH}/{{id}}"


def schemas() -> dict[str, Any]:
    """What the operations' documents refer to."""
    # Prefixed: what may be said is closed, and the records' words of the same name are open.
    wish = Wish.model_json_schema(ref_template="#/components/schemas/Asked{model}")
    wish["title"] = "AskedAction"
    asked = {f"Asked{name}": schema for name, schema in wish.pop("$defs", {}).items()}
    return records.components("action", "outcome") | asked | {"AskedAction": wish, "Traced": _TRACED}


_OBJECT: dict[str, Any] = {"type": "object"}
_TRACED: dict[str, Any] = {
    "type": "object",
    "description": "What is behind an action, from the vendor's bytes to what became of it.",
    "required": ["action", "demanded", "verdict", "strikes", "outcomes", "raw"],
    "properties": {
        "action": _OBJECT | {"description": "The action, without its verdict."},
        "demanded": {"type": "integer", "description": "How often it was written."},
        "verdict": {"type": ["object", "null"], "description": "Null when a person asked for it."},
        "strikes": {
            "type": "array",
            "description": "Of a rule that counts: the verdicts on its subject of the day before, the newest hundred.",
            "items": _OBJECT,
        },
        "outcomes": {"type": "array", "items": {"$ref": "#/components/schemas/Outcome"}},
        "raw": {
            "type": ["object", "null"],
            "description": "The callback, its body in base64; null when Kafka has deleted it or there was none.",
        },
    },
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


_ACTION = _json({"$ref": "#/components/schemas/Action"})
_SINCE_PARAMETER = {
    "name": "within",
    "in": "query",
    "description": "How far back to look: 90s, 30m, 2h, 7d. A longer time takes longer.",
    "schema": {"type": "string", "pattern": "^[0-9]{1,6}[smhd]$", "default": "1d"},
}
_GONE = {"404": "No such action within the time.", "422": "Everything that is wrong."}
CREATE = Operation(
    "POST",
    PATH,
    "actions:write",
    {
        "operationId": "createAction",
        "summary": "Demand an action",
        "description": "It goes the way of the policy's actions: the tenant's routes carry it out.",
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "description": "The same body under the same key of a tenant is the same action.",
                "schema": {"type": "string", "pattern": "^[!-~]{1,128}$"},
            },
        ],
        "requestBody": {"required": True, "content": _json({"$ref": "#/components/schemas/AskedAction"})},
        "responses": {
            "202": {
                "description": "The action is safe, and an enforcer will carry it out.",
                "headers": {"Location": {"schema": {"type": "string"}}},
                "content": _ACTION,
                "links": {
                    operation: {"operationId": operation, "parameters": {"id": "$response.body#/id"}}
                    for operation in ("showAction", "undoAction")
                },
            }
        },
        "errors": {"422": "Everything that is wrong."},
    },
    headers=("Idempotency-Key",),
    takes_body=True,
)
SHOW = Operation(
    "GET",
    _ONE_PATH,
    "actions:read",
    {
        "operationId": "showAction",
        "summary": "Why it was demanded, and what became of it",
        "parameters": [_SINCE_PARAMETER],
        "responses": {
            "200": {
                "description": "The whole chain.",
                "content": _json({"$ref": "#/components/schemas/Traced"}),
            }
        },
        "errors": _GONE,
    },
    ("within",),
)
UNDO = Operation(
    "POST",
    f"{_ONE_PATH}/undo",
    "actions:write",
    {
        "operationId": "undoAction",
        "summary": "Take back a mute, a kick, a ban or the closing of a room",
        "parameters": [_SINCE_PARAMETER],
        "responses": {
            "202": {"description": "The lift is safe, and an enforcer will carry it out.", "content": _ACTION}
        },
        "errors": _GONE | {"409": "It cannot be taken back."},
    },
    ("within",),
)

OPERATIONS = (CREATE, SHOW, UNDO)

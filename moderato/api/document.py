"""The OpenAPI 3.1 document of the API, from its operations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moderato.api.server import Operation

Schema = dict[str, Any]

_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "description": "urn:moderato:problem:<code>"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "description": "Everything that is wrong, each with its place: a JSON pointer, or a parameter's name.",
            "items": {
                "type": "object",
                "required": ["path", "detail"],
                "properties": {"path": {"type": "string"}, "detail": {"type": "string"}},
            },
        },
    },
}
_COMMON = {
    "400": "Malformed.",
    "401": "No token, or none of ours.",
    "403": "The token may not.",
    "503": "Try later.",
}
_OF_A_BODY = {"408": "The body came too slowly.", "413": "Too large.", "415": "Not JSON."}


def document(operations: Sequence[Operation], schemas: dict[str, Schema]) -> Schema:
    """The whole document."""
    paths: dict[str, Schema] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Moderato",
            "version": "1.0.0",
            "description": "Starts and stops moderation at the vendors; demands actions, tells what is behind "
            "them, and takes them back. Errors are application/problem+json.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": _PROBLEM, **dict(sorted(schemas.items()))},
        },
    }


def _operation(operation: Operation) -> Schema:
    about = dict(operation.about)
    errors = _COMMON | (_OF_A_BODY if operation.takes_body else {}) | about.pop("errors", {})
    responses = about.pop("responses") | {status: _problem(text) for status, text in errors.items()}
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]
    return {
        **about,
        "description": f"{about.get('description', '')} Scope: `{operation.scope}`.".strip(),
        "parameters": [*in_path, *about.get("parameters", [])],
        "responses": dict(sorted(responses.items())),
    }


def _problem(text: str) -> Schema:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {"description": text, "content": content}

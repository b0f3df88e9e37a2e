"""Policies from data, as a file would give them."""

from typing import Any

from sinks.policy.rules import Policy, PolicyFile


def policy(*rules: dict[str, Any], **more: Any) -> Policy:
    return Policy.of(PolicyFile.model_validate({"rules": list(rules), **more}))


def rule(id: str = "r", match: dict[str, Any] | None = None, *then: Any, **more: Any) -> dict[str, Any]:
    """`then` as names of actions or whole mappings; a notice by default."""
    actions = [{"action": each} if isinstance(each, str) else each for each in then or ("notify",)]
    return {"id": id, "match": match or {}, "then": actions, **more}

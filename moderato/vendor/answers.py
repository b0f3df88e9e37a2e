"""Reading the fields of vendors' answers, which write one and the same code now as a number and now as text."""

from typing import Any

_LONGEST_ID = 2048  # characters; Agora's resource ids have some hundreds


def seen_code(body: dict[str, Any], *names: str) -> str | None:
    """The first of these fields that holds a code, as text: 7, "7" and 7.0 are "7"."""
    for name in names:
        value = body.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)[:40]
        if isinstance(value, str) and value.strip():
            return value.strip()[:40]
    return None


def seen_message(body: dict[str, Any], *names: str) -> str:
    """The first of these fields that holds words, on one line; empty without any."""
    for name in names:
        value = body.get(name)
        if isinstance(value, str) and value.strip():
            return " ".join("".join(c if c.isprintable() else " " for c in value[:1000]).split())
    return ""


def field_text(body: dict[str, Any], name: str) -> str | None:
    """An id, without the white space that some vendors leave around it; None when there is none worth the name."""
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and 0 < len(value.strip()) <= _LONGEST_ID and value.isprintable():
        return value.strip()
    return None

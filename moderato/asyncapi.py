"""The AsyncAPI 3 document: every topic as a channel with its Kafka binding, its messages, their keys and headers."""

from typing import Any

from moderato import topics
from moderato.codec import JSON
from moderato.schemas import Schema, components
from moderato.sources import Source
from moderato.topics import Topic

_VERSION = "1.0.0"  # of the contract: its first number is the v1 of every ce_type
_BINDING = "0.5.0"  # of AsyncAPI's Kafka bindings
_TEXT: Schema = {"type": "string"}

# The topics that carry one kind of record each: kind -> topic, type of the value, key, what it is.
_RECORDS = {
    "verdict": (
        topics.VERDICTS,
        "Verdict",
        "tenant/room, or tenant/task when the room is unknown",
        "What a vendor's machine or a person decided, on one severity scale.",
    ),
    "signal": (
        topics.SIGNALS,
        "Signal",
        "tenant/room or tenant/task",
        "What happened to a moderation task or a room; no judgement.",
    ),
    "strike": (
        topics.STRIKES,
        "Verdict",
        "tenant/subject: the user or the room that is counted",
        "A verdict other than pass, keyed by what is counted.",
    ),
    "action": (topics.ACTIONS, "Action", "tenant/target", "What should be done."),
    "outcome": (topics.OUTCOMES, "Outcome", "tenant/target", "What became of an action."),
    "brake": (topics.BRAKES, "Brake", "tenant/rule", "A rule that must not hit anybody, or may again."),
    "tally": (
        topics.TALLIES,
        "Tally",
        "the process",
        "What one process of the policy let through, for the others to count.",
    ),
    "session": (topics.SESSIONS, "Session", "session id", "The newest state of a moderation session."),
    "session-request": (
        topics.SESSION_REQUESTS,
        "SessionRequest",
        "session id",
        "What somebody wants of a moderation session.",
    ),
}


def document() -> dict[str, Any]:
    """The whole document."""
    messages = {"raw": _raw(), "deadLetter": _dead_letter()}
    messages |= {kind: _message(kind, *about[1:]) for kind, about in _RECORDS.items()}
    of_topic = {topics.raw(source): "raw" for source in Source} | {topics.DEAD_LETTERS: "deadLetter"}
    of_topic |= {about[0]: kind for kind, about in _RECORDS.items()}
    return {
        "asyncapi": "3.1.0",
        "info": {
            "title": "Moderato",
            "version": _VERSION,
            "description": "What live-content moderation vendors say, on one severity scale, and what was done about "
            "it. Messages are CloudEvents 1.0 in Kafka's binary mode, delivered at least once: drop "
            "duplicates by `ce_id`. Fields are only ever added, and enums are open.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": JSON,
        "channels": {topic.name: _channel(topic, of_topic[topic.name]) for topic in topics.ALL},
        "operations": {
            f"send.{topic.name}": _operation(topic.name, of_topic[topic.name]) for topic in topics.ALL
        },
        "components": {"messages": messages, "schemas": components()},
    }


def _channel(topic: Topic, message: str) -> dict[str, Any]:
    settings = topic.config
    return {
        "address": topic.name,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {
                    "cleanup.policy": [settings["cleanup.policy"]],
                    "retention.ms": topic.retention_ms,
                    "max.message.bytes": topic.max_message_bytes,
                },
                "bindingVersion": _BINDING,
            }
        },
    }


def _operation(topic: str, message: str) -> dict[str, Any]:
    channel = f"#/channels/{topic}"
    return {
        "action": "send",
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{message}"}],
    }


def _message(kind: str, payload: str | None, key: str, summary: str) -> dict[str, Any]:
    return {
        "name": f"moderato.{kind}.v1",
        "title": kind.capitalize(),
        "summary": summary,
        "contentType": JSON,
        "headers": _headers(kind, {"content-type": {"type": "string", "const": JSON}}),
        "payload": {"$ref": f"#/components/schemas/{payload}"} if payload else {"type": "object"},
        "bindings": _key(key),
    }


def _raw() -> dict[str, Any]:
    about_token = "Of the signed token that the callback came with."  # noqa: S105 - a description
    extra = {
        "content-type": _TEXT | {"description": "As the vendor sent it."},
        "ce_room": _TEXT | {"description": about_token},
        "ce_user": _TEXT | {"description": about_token},
    }
    return {
        "name": "moderato.raw.v1",
        "title": "Raw",
        "summary": "A vendor's callback, or one polled result, byte for byte.",
        "headers": _headers("raw", extra),
        "payload": {"description": "The vendor's bytes: JSON or a form, as the header content-type says."},
        "bindings": _key("tenant/task"),
    }


def _dead_letter() -> dict[str, Any]:
    digits = {"type": "string", "pattern": "^[0-9]+$"}
    placed = {
        "dl_stage": _TEXT | {"description": "The stage that could not use the record."},
        "dl_reason": _TEXT | {"description": "Why."},
        "dl_attempts": digits | {"description": "How often a stage has given up on this record."},
        "dl_topic": _TEXT | {"description": "Where the original is."},
        "dl_partition": digits,
        "dl_offset": digits,
        "dl_at": _TEXT | {"format": "date-time"},
    }
    sometimes = {
        "dl_stack": _TEXT | {"description": "The calls that led to a fault of ours."},
        "dl_left_out": digits
        | {"description": "Bytes of a value that is too large: the payload is null then."},
    }
    return {
        "name": "deadLetter",
        "title": "Dead letter",
        "summary": "What a stage could not use: the original key, value and headers, and where it was and why.",
        "headers": {"type": "object", "properties": placed | sometimes, "required": list(placed)},
        "payload": {"description": "The original bytes."},
        "bindings": _key("as the original"),
    }


def _headers(kind: str, extra: dict[str, Schema]) -> Schema:
    required: dict[str, Schema] = {
        "ce_specversion": {"type": "string", "const": "1.0"},
        "ce_id": _TEXT | {"description": "Made from the vendor's ids: a duplicate has the same one."},
        "ce_source": {
            "type": "string",
            "examples": [*(f"/sources/{source}" for source in Source), "/policy"],
        },
        "ce_type": {"type": "string", "const": f"moderato.{kind}.v1"},
        "ce_time": _TEXT | {"format": "date-time"},
        "ce_tenant": _TEXT,
        "ce_partitionkey": _TEXT | {"description": "The message's key."},
        "content-type": extra["content-type"],
    }
    optional: dict[str, Schema] = {
        "ce_sessionid": _TEXT | {"description": "Of a session that was started through Moderato."},
        "ce_traceparent": _TEXT | {"description": "W3C trace context."},
    }
    return {"type": "object", "properties": required | optional | extra, "required": list(required)}


def _key(description: str) -> dict[str, Any]:
    return {"kafka": {"key": _TEXT | {"description": description}, "bindingVersion": _BINDING}}

"""JSON Schema 2020-12 of the published records, generated from their types.

Enums are open: a schema lists the known words as `examples` and rejects none, unknown fields are allowed, and every
known field is required, null where a record does not have it. So a schema of today accepts the records of tomorrow.
"""

import types
from dataclasses import fields, is_dataclass
from enum import StrEnum
from inspect import cleandoc
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from moderato.records import Action, Brake, Outcome, Session, SessionRequest, Signal, Tally, Verdict

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RECORDS: dict[str, type] = {
    "verdict": Verdict,
    "signal": Signal,
    "action": Action,
    "outcome": Outcome,
    "brake": Brake,
    "tally": Tally,
    "session": Session,
    "session-request": SessionRequest,
}

Schema = dict[str, Any]

_PRIMITIVES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
_OPEN = "Open: bear a value that you do not know."

# Fields that records of the first version lack.
_ADDED = {"Action.requested_by", "Action.undoes", "Action.lifts", "Action.counted", "Action.braked"}

# By field, or by record and field where one name means two things.
_DESCRIPTIONS = {
    "id": "Made from the vendor's own ids: a repetition of the same thing has the same id. Drop duplicates by it.",
    "Outcome.id": "The same outcome again has the same id; a repeated action has an outcome of its own.",
    "RawRef.id": "The raw record's `ce_id`.",
    "Target.id": "The user, room, account, session or task.",
    "RuleRef.id": "The rule's name in the policy.",
    "source": "The vendor product that said so.",
    "tenant": "The customer of this installation.",
    "session_id": "The moderation session, when it was started through Moderato.",
    "task_id": "The vendor's moderation task.",
    "segment_id": "The piece of the stream or file, in the vendor's words.",
    "room": "The room or channel.",
    "user": "The speaker; null means the room as a whole.",
    "Action.user": "Whom the verdict is about; null means the room as a whole.",
    "account": "The account that the stream was submitted for, not necessarily the speaker.",
    "file": "The file, for sources that judge files.",
    "media": "What was judged.",
    "decision": "The vendor's or the reviewer's decision.",
    "severity": "The one scale, and the field to act on: none, low, medium, high, critical.",
    "severity_level": "`severity` as a number: 0 (none) to 4 (critical).",
    "category": "What it is about; none on a pass.",
    "Label.category": "Our category for this label.",
    "labels": "Every label that the vendor sent, also on a pass.",
    "confidence": "0 to 1, of the label that won; null when the vendor gives none.",
    "Label.confidence": "0 to 1; null when the vendor gives none.",
    "judge": "Who decided: a machine, the vendor's reviewers, or the customer's own.",
    "text": "What was said or read, as the vendor sent it.",
    "keywords": "The words that the vendor marked.",
    "evidence": "URLs that show what was judged; vendors let them expire.",
    "span": "When in the stream or file.",
    "occurred_at": "When it happened, as well as the vendor tells.",
    "received_at": "When the callback came in, or the poll's answer.",
    "normalized_at": "When the record was made; it differs between two deliveries of the same thing.",
    "final": "The last word on the whole file or stream.",
    "unmapped": "The vendor used a word that no table has.",
    "degraded": "Nobody judged this content: it could not be read, or the task failed. A person should look.",
    "mapping": "How the severity came about.",
    "raw": "The vendor's bytes.",
    "version": "The version of the tables.",
    "RuleRef.version": "The content hash of the policy.",
    "rules": "The rules that changed something, in their order.",
    "topic": "The raw topic.",
    "partition": "The partition in it.",
    "offset": "The offset in the partition.",
    "code": "The vendor's code.",
    "name": "The vendor's name for it.",
    "level": "The vendor's level.",
    "url": "Where it is.",
    "kind": "What happened.",
    "Evidence.kind": "audio, image or video.",
    "Target.kind": "What `id` names.",
    "message": "The vendor's words.",
    "Action.message": "What to tell the user or the moderators, from the rule.",
    "start": "Seconds on `clock`.",
    "end": "Seconds on `clock`.",
    "clock": "epoch: seconds since 1970-01-01T00:00:00Z; stream: seconds since the file or stream began.",
    "type": "What should be done.",
    "Outcome.type": "What should have been done.",
    "target": "Whom or what the action hits.",
    "mode": "shadow: recorded, not carried out.",
    "rule": "The rule that demanded the action.",
    "duration": "Seconds that it shall last; null when it has no duration.",
    "created_at": "When the policy demanded it.",
    "expires_at": "From then on it is too late to carry it out; null when it never is.",
    "verdict": "The verdict that the rule matched; null when a person demanded the action.",
    "Action.requested_by": "The name of the API token of the person's system; null when a rule demanded it.",
    "undoes": "The id of the action that this one takes back.",
    "braked": "Why it must not be carried out, in one line; null when it may be.",
    "Brake.tenant": "The tenant; `*` is all of them.",
    "Brake.rule": "The rule's name in the policy; `*` is every rule.",
    "pulled": "false: released.",
    "Brake.reason": "Why, in one line.",
    "by": "Who: a person's name, or the trip switch.",
    "process": "A name that no other process has.",
    "hits": "The actions that were let through.",
    "Hit.action_id": "The action.",
    "Hit.rule": "The rule's name in the policy.",
    "Hit.type": "The action's type.",
    "Hit.user": "Whom the verdict was about.",
    "active": "What it sees, for each time that a trip switch asks for.",
    "of": "rooms or users.",
    "within": "Seconds.",
    "number": "How many.",
    "counted": "How often the rule had matched by then; null for a rule that does not count.",
    "Counted.number": "Strikes within the rule's time.",
    "subject": "tenant/user, tenant/account or tenant/room.",
    "lifts": "The type of that action.",
    "action_id": "The action that ended so.",
    "state": "How the action ended.",
    "executor": "Who was asked to carry it out; none when nobody was.",
    "attempts": "How often it was tried.",
    "detail": "Why, in one line.",
    "finished_at": "When it ended.",
    "SessionRequest.id": "The session. An Idempotency-Key of the same tenant always gives the same one.",
    "Session.id": "The session: what verdicts, signals and actions carry as `session_id`.",
    "VendorTask.id": "The vendor's id; null until the task has started.",
    "SessionRequest.kind": "start or stop.",
    "Session.state": "requested, starting, active, stopping, ended or failed.",
    "SessionRequest.user": "The speaker, when the session listens to one alone.",
    "Session.user": "The speaker, when the session listens to one alone.",
    "parameters": "What the vendor is asked to watch, as the Sessions API takes it of this source; may hold tokens.",
    "digest": "Of the request that the Idempotency-Key stands for; null when there was none.",
    "requested_by": "The name of the API token, or of the part that asked.",
    "SessionRequest.created_at": "When it was asked for.",
    "Session.created_at": "When it was asked for.",
    "values": "What the vendor's answers gave and its next calls need; may hold tokens.",
    "VendorTask.expires_at": "From then on what is reserved counts no more; null when it always does.",
    "SessionFault.code": "The vendor's code; null when there is none.",
    "SessionFault.message": "The vendor's words, or ours.",
    "at": "When.",
    "wanted": "active or ended: what was asked for last.",
    "watched": "Whether a task is known to run.",
    "reason": "Why the session ended or is to end, in one word; null while it goes on.",
    "fault": "What went wrong last; null when all is well.",
    "task": "The task that runs or is being started.",
    "retiring": "A task that is still to be stopped.",
    "submitted": "Whether its start may have reached the vendor.",
    "attempt": "How many tasks of the room were in our way.",
    "tries": "Failures in a row.",
    "resubmits": "How many tasks died and were started anew.",
    "retry_at": "When the next try is due.",
    "renew_at": "When the task has to be started anew, since its token ends soon after.",
    "state_at": "Since when it is starting, active, stopping, or over.",
    "active_at": "When the task that runs was started.",
    "ended_at": "When it ended or failed.",
    "updated_at": "When this was written down.",
    "request": "The request that began it.",
}
_CONSTRAINTS: dict[str, Schema] = {
    "confidence": {"minimum": 0, "maximum": 1},
    "severity_level": {"minimum": 0},
    "partition": {"minimum": 0},
    "offset": {"minimum": 0},
    "attempts": {"minimum": 0},
}


def record_schemas() -> dict[str, Schema]:
    """The schema of each kind of record (verdict, signal, action, outcome), each complete in itself."""
    return {kind: _document(kind, record) for kind, record in RECORDS.items()}


def components(*kinds: str) -> dict[str, Schema]:
    """The schemas of these kinds of records, or of all, by type name, for a document that refers to them as
    `#/components/schemas/<name>`."""
    found: dict[str, Schema] = {}
    for record in map(RECORDS.__getitem__, kinds or RECORDS):
        _Definitions("#/components/schemas/", found).refer(record)
    return dict(sorted(found.items()))


def _document(kind: str, record: type) -> Schema:
    definitions: dict[str, Schema] = {}
    _Definitions("#/$defs/", definitions).refer(record)
    own = definitions.pop(record.__name__)
    head = {"$schema": DIALECT, "$id": f"urn:moderato:{kind}:v1", "title": record.__name__}
    return head | own | {"$defs": dict(sorted(definitions.items()))}


class _Definitions:
    """Collects the schema of every dataclass and enum that it is asked to refer to."""

    def __init__(self, prefix: str, found: dict[str, Schema]) -> None:
        self._prefix = prefix
        self._found = found

    def refer(self, kind: type) -> Schema:
        """A reference to a dataclass or an enum."""
        name = kind.__name__
        if name not in self._found:
            self._found[name] = {}
            self._found[name] |= _enum(kind) if issubclass(kind, StrEnum) else self._object(kind)
        return {"$ref": f"{self._prefix}{name}"}

    def _object(self, record: type) -> Schema:
        hints = get_type_hints(record)
        names = [field.name for field in fields(record)]
        return {
            "description": _documentation(record),
            "type": "object",
            "properties": {name: self._field(record.__name__, name, hints[name]) for name in names},
            "required": [name for name in names if f"{record.__name__}.{name}" not in _ADDED],
            "additionalProperties": True,
        }

    def _field(self, record: str, name: str, hint: Any) -> Schema:
        schema = self._of(hint) | _CONSTRAINTS.get(name, {})
        if name == "at" or name.endswith("_at"):
            schema["format"] = "date-time"
        described = _DESCRIPTIONS.get(f"{record}.{name}") or _DESCRIPTIONS[name]
        note = schema.pop("description", None)
        return {"description": f"{described} {note}" if note else described} | schema

    def _of(self, hint: Any) -> Schema:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin in (Union, types.UnionType):
            [known] = [each for each in arguments if each is not types.NoneType]
            return _nullable(self._of(known))
        if origin is tuple:
            return {"type": "array", "items": self._of(arguments[0])}
        if origin is Literal:
            return {"description": _OPEN, "type": "string", "examples": list(arguments)}
        if origin is dict:
            values = {} if arguments[1] is Any else {"additionalProperties": self._of(arguments[1])}
            return {"type": "object"} | values
        if primitive := _PRIMITIVES.get(hint):
            return {"type": primitive}
        assert is_dataclass(hint) or issubclass(hint, StrEnum)
        return self.refer(hint)


def _enum(kind: type[StrEnum]) -> Schema:
    own = kind.__doc__ if kind.__doc__ != StrEnum.__doc__ else None
    description = f"{cleandoc(own)} {_OPEN}" if own else _OPEN
    return {"description": description, "type": "string", "examples": [str(word) for word in kind]}


def _nullable(schema: Schema) -> Schema:
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [schema["type"], "null"]}


def _documentation(record: type) -> str:
    return " ".join(cleandoc(record.__doc__ or "").split())

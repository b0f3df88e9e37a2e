"""Agora's answers to `query`, which pollers put beside the results: how the moderation task itself fares."""

from moderato.records import SignalKind
from normalize.payload import Object, as_code, as_id, as_int, as_text, object_in, objects_in
from normalize.reading import Reading

# Service states of the audio moderation's RESTful API; the others mean waiting, at work, or done.
_BROKEN_SERVICES = frozenset({"serviceabnormal", "servicevalidationfailed"})
_BROKEN_STREAM = "failed"
_ABNORMAL_EXIT = 20  # serverResponse.status


def is_answer(content: Object) -> bool:
    """Whether this is the answer to a query, and no result of moderation."""
    return isinstance(content.get("serverResponse"), dict)


def read(content: Object, out: Reading) -> None:
    """One `task_failed` for a task that broke, with the state that says so; nothing while all is well."""
    response = object_in(content, "serverResponse") or {}
    failure = _failure(response)
    if failure is not None:
        code, service = failure
        out.signal(SignalKind.TASK_FAILED, task_id=as_id(content.get("sid")), code=code, message=service)


def _failure(response: Object) -> tuple[str | None, str | None] | None:
    """The first state that tells of a failure, as it was sent, and the service that it is about."""
    status = response.get("status")
    if as_int(status) == _ABNORMAL_EXIT:
        return as_id(status), None
    for service, state in (object_in(response, "subServiceStatus") or {}).items():
        if as_code(state) in _BROKEN_SERVICES:
            return as_text(state), service
    for extension in objects_in(response, "extensionServiceState"):
        for stream in objects_in(extension, "streamState"):
            if as_code(stream.get("status")) == _BROKEN_STREAM:
                return as_text(stream["status"]), as_text(extension.get("serviceName"))
    return None

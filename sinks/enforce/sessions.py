"""The executor of `stop_session`: the request goes to the session's controller, in one batch with the outcome."""

from typing import cast

from moderato.bus.publisher import Message
from moderato.records import ActionType, OutcomeState, SessionRequest
from moderato.session_requests import request_message
from moderato.sources import Source
from sinks.enforce.executor import Result
from sinks.enforce.orders import Order

NAME = "sessions"


def concerns(order: Order) -> bool:
    """Whether this is an order to stop a session."""
    return order.type == ActionType.STOP_SESSION and order.target.kind == "session"


def result() -> Result:
    """The request is written with the outcome, or neither is: it is done when the outcome can be read."""
    return Result(OutcomeState.DONE, 1, "its controller was asked to stop it")


def message(order: Order, at: str) -> Message:
    """The request. The rule that demanded it is who asks."""
    request = SessionRequest(
        id=order.target.id,
        kind="stop",
        tenant=order.tenant,
        source=cast(Source, order.source),
        room=None,
        user=None,
        parameters=None,
        digest=None,
        requested_by=f"rule {order.rule.id}",
        created_at=at,
    )
    return request_message(request, order.traceparent)

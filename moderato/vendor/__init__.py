"""The kernel of all calls to vendors' APIs: a Caller an account, a Rule an operation, four kinds of error.

    async with AsyncExitStack() as stack:
        caller = Caller("agora", app_id, await open_session(stack), Rates(), secrets=(customer_secret,))
        rule = Rule(timeout=20, waits=(1, 3, 6), rate=Rate(10))
        await caller.call("kick", rule, lambda attempt: Request.json(url, body, headers), judge)

`judge` reads an Answer: `status` and `body`, a JSON object. It returns the result or raises Refused, Throttled,
Unavailable or Unreadable; `by_status` raises what the HTTP status alone calls for. One Rates a process.
"""

from moderato.vendor.caller import Caller, Rule
from moderato.vendor.errors import Refused, Throttled, Unavailable, Unreadable, VendorError
from moderato.vendor.http import MAX_ANSWER, Answer, Request, open_session
from moderato.vendor.rates import Rate, Rates
from moderato.vendor.statuses import by_status

__all__ = [
    "MAX_ANSWER",
    "Answer",
    "Caller",
    "Rate",
    "Rates",
    "Refused",
    "Request",
    "Rule",
    "Throttled",
    "Unavailable",
    "Unreadable",
    "VendorError",
    "by_status",
    "open_session",
]

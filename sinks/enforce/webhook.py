"""The webhook executor: an action as a signed POST to the tenant's endpoint, by Standard Webhooks 1.0.

The action's id is the message's id, the same at every attempt, so that a receiver can drop what it has had already.
"""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import aiohttp
import orjson
from yarl import URL

from moderato import settings
from moderato.errors import Fatal
from moderato.records import OutcomeState
from moderato.settings import Tenant
from moderato.vendor import Rates
from sinks.enforce.addresses import AddressRefused, PublicOnly, require_public
from sinks.enforce.executor import PARALLEL, Execute, Result
from sinks.enforce.orders import Order
from sinks.enforce.signature import headers, signing_key

_WAITS = (0.25, 1.0, 3.0)  # seconds before the second, third and fourth attempt; there is no fifth
_TRANSIENT = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)


async def open_webhook(tenant: Tenant, stack: AsyncExitStack, rates: Rates) -> Execute:
    """For a tenant's endpoint. Raises Fatal for a URL or a secret that cannot be used."""
    assert tenant.webhook is not None, "the tenant's settings say so"
    resolver = aiohttp.ThreadedResolver()
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=PARALLEL, resolver=resolver if tenant.webhook.allow_private else PublicOnly(resolver)
        ),
        # Nothing of an answer counts but its status: no cookies, no decompression, no time-out but ours.
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"content-type": "application/json", "user-agent": "Moderato"},
    )
    await stack.enter_async_context(session)
    return _Endpoint(tenant.webhook, session).execute


@dataclass(frozen=True, slots=True)
class _Answer:
    """Of one attempt; `state` None means that another may succeed, after `wait` seconds at least."""

    state: OutcomeState | None
    detail: str | None = None
    wait: float = 0.0
    gone: bool = False


class _Endpoint:
    def __init__(self, webhook: settings.Webhook, session: aiohttp.ClientSession) -> None:
        try:
            self._url = URL(webhook.url)
            self._keys = [signing_key(secret.get_secret_value()) for secret in webhook.secrets]
        except ValueError as error:
            raise Fatal(f"webhook: {error}") from error
        self._timeout = webhook.timeout
        self._allow_private = webhook.allow_private
        self._session = session

    async def execute(self, order: Order, until: float) -> Result:
        """Up to four attempts before `until`, each with a fresh time and signature."""
        clock = asyncio.get_running_loop().time
        body = orjson.dumps(
            {
                "type": f"moderation.action.{order.type}",
                "timestamp": order.created_at,
                "data": orjson.Fragment(order.data),
            }
        )
        attempts = 0
        while True:
            attempts += 1
            answer = await self._attempt(order.id, body, min(self._timeout, until - clock()))
            if answer.state is not None:
                return Result(answer.state, attempts, answer.detail, gone=answer.gone)
            if attempts > len(_WAITS):
                return Result(OutcomeState.FAILED, attempts, answer.detail, outage=True)
            wait = max(_WAITS[attempts - 1], answer.wait)
            if clock() + wait >= until:
                detail = f"{answer.detail}; no time is left for another attempt"
                return Result(OutcomeState.FAILED, attempts, detail, outage=True)
            await asyncio.sleep(wait)

    async def _attempt(self, id: str, body: bytes, timeout: float) -> _Answer:
        try:
            if not self._allow_private:
                require_public(self._url.host or "")
            async with (
                asyncio.timeout(timeout),
                self._session.post(
                    self._url,
                    data=body,
                    headers=headers(self._keys, id, int(time.time()), body),
                    allow_redirects=False,
                ) as response,
            ):
                return _answer(response.status, response.headers.get("retry-after"), time.time())
        except (AddressRefused, aiohttp.InvalidURL) as error:
            return _Answer(OutcomeState.FAILED, f"the endpoint is refused: {error}")
        except aiohttp.ClientConnectorCertificateError:
            return _Answer(OutcomeState.FAILED, "the endpoint's TLS certificate is not valid")
        except TimeoutError:
            return _Answer(None, f"no answer within {timeout:.1f} s")
        except (aiohttp.ClientError, OSError) as error:
            # Its text may hold the URL, and the URL a token.
            return _Answer(None, f"no connection: {type(error).__name__}")


def _answer(status: int, retry_after: str | None, now: float) -> _Answer:
    if 200 <= status < 300:
        return _Answer(OutcomeState.DONE, f"HTTP {status}")
    if status in _TRANSIENT or status >= 500:
        return _Answer(None, f"HTTP {status}", seconds_until(retry_after, now))
    if status == HTTPStatus.GONE:
        return _Answer(OutcomeState.FAILED, "HTTP 410: the endpoint wants no more webhooks", gone=True)
    if 300 <= status < 400:
        return _Answer(OutcomeState.FAILED, f"HTTP {status}: redirects are not followed")
    return _Answer(OutcomeState.FAILED, f"HTTP {status}")


def seconds_until(retry_after: str | None, now: float) -> float:
    """Retry-After, seconds or an HTTP date, as seconds from `now` (epoch); 0 when it is missing or says nothing."""
    if retry_after is None:
        return 0.0
    try:
        if retry_after.isascii() and retry_after.isdigit():
            return float(retry_after)
        moment = parsedate_to_datetime(retry_after)
        return max(0.0, moment.timestamp() - now)
    except (ValueError, OverflowError):
        return 0.0

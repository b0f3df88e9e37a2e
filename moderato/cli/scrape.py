"""Reads the metrics pages of running processes."""

import asyncio
from collections.abc import Sequence

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from moderato.cli.audit import Process
from moderato.errors import Fatal

_DEADLINE = 5.0  # seconds


def address(text: str) -> str:
    """The address of a page: `host:port` and `http://host:port` mean its /metrics."""
    url = text if "://" in text else f"http://{text}"
    return url if url.partition("://")[2].strip("/").count("/") else f"{url.rstrip('/')}/metrics"


async def scrape(urls: Sequence[str]) -> list[Process]:
    """All pages, read at the same time. Raises Fatal that names every one that cannot be read."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(_DEADLINE)) as session:
        found = await asyncio.gather(*(_one(session, url) for url in urls))
    if faults := [str(each) for each in found if isinstance(each, Fatal)]:
        raise Fatal("\n".join(faults))
    return [each for each in found if isinstance(each, Process)]


async def _one(session: aiohttp.ClientSession, url: str) -> Process | Fatal:
    try:
        async with session.get(url) as response:
            if response.status != 200:
                return Fatal(f"--metrics {url}: HTTP status {response.status}")
            page = await response.read()
        return Process.of(url, text_string_to_metric_families(page.decode()))
    except Fatal as fault:
        return fault
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Fatal(f"--metrics {url}: {str(error) or 'no answer'}")
    except ValueError as error:
        return Fatal(f"--metrics {url}: that is no metrics page: {error}")

"""Reads and inflates request bodies within their limits."""

import asyncio
import zlib

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError

from ingest.refusals import Refused

_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_RAW_DEFLATE = -zlib.MAX_WBITS
_WINDOWS = {
    "gzip": (_GZIP_OR_ZLIB,),
    "x-gzip": (_GZIP_OR_ZLIB,),
    # "deflate" is zlib by its definition and raw deflate by wide-spread mistake.
    "deflate": (_GZIP_OR_ZLIB, _RAW_DEFLATE),
}


async def read(content: StreamReader, limit: int, seconds: float) -> bytes:
    """The whole body, at most `limit` bytes and within `seconds`. Raises Refused, or ConnectionError for a client that
    went away."""
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            while chunk := await content.readany():
                size += len(chunk)
                if size > limit:
                    raise too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        raise Refused("body_timeout", f"the body did not arrive within {seconds:g} s") from None
    except (HttpProcessingError, web.RequestPayloadError):
        raise Refused("bad_request", "the body's transfer encoding is broken") from None
    return b"".join(chunks)


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its Content-Encoding, at most `limit` bytes. Raises Refused."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    windows = _WINDOWS.get(encoding)
    if windows is None:
        raise Refused("unsupported_encoding", "Content-Encoding may be gzip, deflate or identity")
    for window in windows:
        decoder = zlib.decompressobj(window)
        try:
            # One byte more than allowed tells a body that is too large from one that just fits.
            inflated = decoder.decompress(body, limit + 1)
        except zlib.error:
            continue
        if len(inflated) > limit:
            raise too_large(limit)
        if decoder.eof and not decoder.unused_data:
            return inflated
    raise Refused("bad_encoding", f"the body is not one whole {encoding} stream")


def too_large(limit: int) -> Refused:
    """The refusal of a body of more than `limit` bytes."""
    return Refused("body_too_large", f"the body has more than {limit} bytes")

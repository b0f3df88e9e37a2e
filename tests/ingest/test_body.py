import asyncio
import gzip
import zlib
from unittest.mock import Mock

import pytest
from aiohttp import StreamReader
from aiohttp.http_exceptions import TransferEncodingError
from hypothesis import given
from hypothesis import strategies as st

from ingest.body import inflate, read
from ingest.refusals import Refused

LIMIT = 1000


def raw_deflate(data: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return encoder.compress(data) + encoder.flush()


def refusal(body: bytes, encoding: str) -> str:
    with pytest.raises(Refused) as caught:
        inflate(body, encoding, LIMIT)
    return caught.value.code


@given(st.binary(max_size=LIMIT))
def test_every_encoding_gives_back_what_was_packed(data: bytes) -> None:
    assert inflate(gzip.compress(data), "gzip", LIMIT) == data
    assert inflate(gzip.compress(data), " X-GZIP ", LIMIT) == data
    assert inflate(zlib.compress(data), "deflate", LIMIT) == data
    assert inflate(raw_deflate(data), "Deflate", LIMIT) == data
    assert inflate(data, "identity", LIMIT) == data


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate)]
)
def test_a_body_may_reach_its_limit_and_not_pass_it(encoding: str, pack) -> None:  # type: ignore[no-untyped-def]
    assert inflate(pack(b"x" * LIMIT), encoding, LIMIT) == b"x" * LIMIT
    assert refusal(pack(b"x" * (LIMIT + 1)), encoding) == "body_too_large"


def test_a_bomb_is_not_inflated() -> None:
    assert refusal(gzip.compress(bytes(100_000_000), 9), "gzip") == "body_too_large"


@pytest.mark.parametrize(
    "body",
    [b"", b"plain text", gzip.compress(b"cut")[:-1], gzip.compress(b"more") + b"x", gzip.compress(b"a") * 2],
)
def test_what_is_not_one_whole_stream_is_broken(body: bytes) -> None:
    assert refusal(body, "gzip") == "bad_encoding"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "\udcff"])
def test_other_encodings_are_not_supported(encoding: str) -> None:
    assert refusal(b"x", encoding) == "unsupported_encoding"


@given(st.binary(), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_inflated_or_refused(body: bytes, encoding: str) -> None:
    try:
        outcome = "fits" if len(inflate(body, encoding, LIMIT)) <= LIMIT else "too long"
    except Refused as refused:
        outcome = refused.code
    assert outcome in ("fits", "bad_encoding", "body_too_large")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(TransferEncodingError("bad chunk"), Refused), (ConnectionResetError(), ConnectionResetError)],
)
async def test_a_body_that_breaks_off_says_why(fault: Exception, expected: type[Exception]) -> None:
    content = StreamReader(Mock(), 2**16, loop=asyncio.get_running_loop())
    content.feed_data(b"{")
    content.set_exception(fault)
    with pytest.raises(expected):
        await read(content, LIMIT, 1.0)

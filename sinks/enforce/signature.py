"""Signatures of Standard Webhooks 1.0. https://github.com/standard-webhooks/standard-webhooks"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

PREFIX = "whsec_"


def signing_key(secret: str) -> bytes:
    """The key in a secret: base64, its padding and `whsec_` optional. Raises ValueError when it is not base64."""
    text = secret.removeprefix(PREFIX).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not base64") from error


def headers(keys: Sequence[bytes], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt; `timestamp` in epoch seconds, one signature a key."""
    content = b"%b.%d.%b" % (id.encode(), timestamp, body)
    signatures = (hmac.digest(key, content, hashlib.sha256) for key in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in signatures),
    }

"""The vendors' callback signatures, as pure functions. All digests are lower-case hex."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from typing import Literal

from cryptography.hazmat.primitives import hashes


def same(expected: str, given: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode("utf-8", "surrogatepass"))


def same_digest(expected: str, given: str) -> bool:
    """Compares hex digests in constant time; vendors write them in either case."""
    return same(expected, given.strip().lower())


def aliyun_checksum(uid: str, seed: str, content: str) -> str:
    """Aliyun's content safety callbacks: SHA-256 of the main account's UID, the seed, and the decoded form value
    `content` as it came (Aliyun's notification documents)."""
    return hashlib.sha256(f"{uid}{seed}{content}".encode()).hexdigest()


def room_seed(seed_key: str, channel: str) -> str:
    """A seed for each room that need not be kept: HMAC-SHA256 of the channel's name, 64 hex characters."""
    return hmac.digest(seed_key.encode(), channel.encode(), "sha256").hex()


def ncs_hmac(secret: str, body: bytes, digest: Literal["sha1", "sha256"]) -> str:
    """Agora's notification service: HMAC of the raw body; SHA-1 in Agora-Signature, SHA-256 in Agora-Signature-V2."""
    return hmac.digest(secret.encode(), body, digest).hex()


def yunxin_checksum(app_secret: str, body: bytes, cur_time: str) -> str:
    """Yunxin's copy callbacks: SHA-1 of the app secret, the body's MD5 in hex, and the header CurTime."""
    body_md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    text = f"{app_secret}{body_md5}{cur_time}".encode("utf-8", "surrogatepass")
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def agora_video_checksum(callback_addr: str, code: str, object_name: str, request_id: str) -> str:
    """Agora's video moderation: MD5 over four values. Agora does not say how they are joined; their listed order
    without separators is our assumption, so that this one is observed and never enforced."""
    text = f"{callback_addr}{code}{object_name}{request_id}"
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def yidun_signature(fields: Mapping[str, str], secret_key: str) -> str:
    """Yidun's requests and pushes: names and values of all fields but `signature` in the order of the names, then
    the secret key; the digest is the one that `signatureMethod` names, MD5 without it. Raises ValueError for an
    unknown one."""
    method = fields.get("signatureMethod", "").strip().upper() or "MD5"
    digest = _YIDUN_DIGESTS.get(method)
    if digest is None:
        raise ValueError(f"signatureMethod is none of {', '.join(_YIDUN_DIGESTS)}")
    text = "".join(f"{name}{fields[name]}" for name in sorted(fields) if name != "signature")
    return digest(f"{text}{secret_key}".encode())


def _sm3(data: bytes) -> str:
    sm3 = hashes.Hash(hashes.SM3())
    sm3.update(data)
    return sm3.finalize().hex()


_YIDUN_DIGESTS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    "SHA256": lambda data: hashlib.sha256(data).hexdigest(),
    "SM3": _sm3,
}

"""Agora channel audio moderated by Aliyun: mode `mix`, service `aliyun_voice_async_scan`."""

import re
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ingest.clients.agora import AgoraClient, AgoraParameters, Uid
from ingest.clients.contract import Kind, Opening, Start
from ingest.signatures import room_seed
from moderato.settings import Tenant
from moderato.sources import Source

_SEED = re.compile(r"[A-Za-z0-9_]{1,64}")  # what Aliyun takes as `seed`


class AgoraVoice(AgoraParameters):
    """`max_idle_time`: seconds without a user after which the task ends. `subscribe_uid_group`: 0 for 1-2 speakers,
    1 for 3-7, 2 for 8-12, 3 for 13-17."""

    max_idle_time: int = Field(default=30, ge=5, le=(1 << 32) - 1)
    decryption_mode: Literal[0, 1, 2, 3] = 0
    secret: str | None = Field(
        default=None, min_length=1, validate_default=True, json_schema_extra={"writeOnly": True}
    )
    audio_profile: Literal[0, 1, 2] | None = None
    subscribe_audio_uids: list[Uid] = Field(default=[], max_length=32)
    subscribe_uid_group: Literal[0, 1, 2, 3] | None = None
    biz_type: str | None = Field(default=None, min_length=1, max_length=128)
    abort_on_error: bool = False

    @field_validator("secret")
    @classmethod
    def _with_its_mode(cls, secret: str | None, info: ValidationInfo) -> str | None:
        mode = info.data.get("decryption_mode")
        if mode is not None and (mode == 0) != (secret is None):
            raise ValueError("decryption_mode 1, 2 or 3 and secret go together")
        return secret


def missing(tenant: Tenant) -> list[str]:
    """Agora's and Aliyun's credentials, and the seed that the receiver will check the callbacks with."""
    faults = [
        f"credentials.{name}: is missing"
        for name, given in (
            ("agora", tenant.credentials.agora),
            ("aliyun", tenant.credentials.aliyun),
        )
        if given is None
    ]
    source = tenant.sources.get(Source.AGORA_VOICE)
    secrets = source.secrets if source else {}
    if "seed" not in secrets and "seed_key" not in secrets:
        faults.append("sources.agora_voice.secrets: seed or seed_key is missing")
    elif "seed" in secrets and not _SEED.fullmatch(secrets["seed"].get_secret_value()):
        faults.append("sources.agora_voice.secrets.seed: Aliyun takes 1 to 64 of A-Z a-z 0-9 _")
    return faults


def open_client(opening: Opening) -> AgoraClient:
    """A client in mode `mix`."""
    aliyun = opening.tenant.credentials.aliyun
    assert aliyun is not None, "Kind.missing comes first"
    secret_key = aliyun.secret_key.get_secret_value()
    secrets = {
        name: secret.get_secret_value()
        for name, secret in opening.tenant.sources[Source.AGORA_VOICE].secrets.items()
    }

    def client_request(start: Start) -> dict[str, Any]:
        given: AgoraVoice = start.parameters
        api_data = {
            "accessKey": aliyun.access_key,
            "secretKey": secret_key,
            "callbackSeed": secrets.get("seed") or room_seed(secrets["seed_key"], given.channel),
        }
        return start_request(given, start.callback_url, api_data)

    return AgoraClient(opening, "mix", client_request, (secret_key, *secrets.values()))


def start_request(given: AgoraVoice, callback_url: str, api_data: dict[str, str]) -> dict[str, Any]:
    """`clientRequest` of start, the token left out. `api_data` is Aliyun's access key, its secret and the seed."""
    optional: dict[str, Any] = {
        "decryptionMode": given.decryption_mode or None,
        "secret": given.secret,
        "audioProfile": given.audio_profile,
        "subscribeAudioUids": given.subscribe_audio_uids or None,
        "subscribeUidGroup": given.subscribe_uid_group,
    }
    service: dict[str, Any] = {
        "serviceName": "aliyun_voice_async_scan",
        "streamTypes": 0,
        "serviceParam": {
            "callbackAddr": callback_url,
            "apiData": api_data | ({"bizType": given.biz_type} if given.biz_type else {}),
        },
    }
    policy = {"errorHandlePolicy": "error_abort"} if given.abort_on_error else {}
    return {
        "recordingConfig": {
            "streamTypes": 0,
            "channelType": given.channel_type,
            "maxIdleTime": given.max_idle_time,
            **{name: value for name, value in optional.items() if value is not None},
        },
        "extensionServiceConfig": {**policy, "extensionServices": [{**service, **policy}]},
    }


KIND = Kind(AgoraVoice, missing, open_client, rhythm=120.0)

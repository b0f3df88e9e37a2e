"""Agora's video moderation by screenshots: mode `individual`, vendor `agora`."""

from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ingest.clients.agora import AgoraClient, AgoraParameters
from ingest.clients.contract import Kind, Opening, Parameters, Start
from moderato.settings import Tenant


class Storage(Parameters):
    """`storageConfig`: where the screenshots go. Its values are those of Agora's cloud recording; `region` and `vendor`
    are numbers there and texts in the moderation's sample."""

    access_key: str = Field(min_length=1)
    secret_key: str = Field(min_length=1, json_schema_extra={"writeOnly": True})
    region: int | str
    vendor: int | str
    bucket: str = Field(min_length=1)


class AgoraVideo(AgoraParameters):
    """`capture_interval`: seconds between two screenshots. `combination_policy` `storage_and_moderation` keeps them,
    `default` forbids `storage`."""

    combination_policy: Literal["default", "storage_and_moderation"] = "default"
    capture_interval: int = Field(default=20, ge=1, le=3600)
    subscribe_uid_group: Literal[0, 1, 2, 3] = 1
    type: Literal["PORN"] = "PORN"
    storage: Storage | None = Field(default=None, validate_default=True)

    @field_validator("storage")
    @classmethod
    def _by_policy(cls, storage: Storage | None, info: ValidationInfo) -> Storage | None:
        policy = info.data.get("combination_policy")
        if policy == "default" and storage is not None:
            raise ValueError("not under combination_policy default: storage_and_moderation is due")
        if policy == "storage_and_moderation" and storage is None:
            raise ValueError("combination_policy storage_and_moderation needs it")
        return storage


def missing(tenant: Tenant) -> list[str]:
    """Agora's credentials."""
    return ["credentials.agora: is missing"] if tenant.credentials.agora is None else []


def open_client(opening: Opening) -> AgoraClient:
    """A client in mode `individual`."""

    def client_request(start: Start) -> dict[str, Any]:
        return start_request(start.parameters, start.callback_url)

    return AgoraClient(opening, "individual", client_request)


def start_request(given: AgoraVideo, callback_url: str) -> dict[str, Any]:
    """`clientRequest` of start, the token left out."""
    request: dict[str, Any] = {
        "appsCollection": {"combinationPolicy": given.combination_policy},
        "recordingConfig": {
            "subscribeUidGroup": given.subscribe_uid_group,
            "captureInterval": given.capture_interval,
            "streamTypes": 1,
            "channelType": given.channel_type,
        },
        "moderationConfig": {
            "moderationStreamType": 1,
            "vendor": "agora",
            "callbackAddr": callback_url,
            "agoraApiParams": {
                "apiVersion": "v1",
                "apiData": {"type": given.type, "callbackParam": {"cname": given.channel}},
            },
        },
    }
    if given.storage is not None:
        request["storageConfig"] = {
            "accessKey": given.storage.access_key,
            "secretKey": given.storage.secret_key,
            "region": given.storage.region,
            "vendor": given.storage.vendor,
            "bucket": given.storage.bucket,
        }
    return request


KIND = Kind(AgoraVideo, missing, open_client, rhythm=120.0)

"""`tenants.<t>.credentials`: what a tenant's calls to the vendors' own APIs need. Addresses default to the vendors'.

Which vendor wants what is on docs/vendors.md; an address can be pointed at the simulator.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, Field, SecretStr, field_validator

from moderato.secrets import STRICT, Secret


def _base_url(value: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?", value):
        raise ValueError("http:// or https://, a host, and no more than a port and a path are due")
    return value.rstrip("/")


def _plain(value: str) -> str:
    if not re.fullmatch(r"[\x21-\x7e]{1,128}", value):
        raise ValueError("1 to 128 printable ASCII characters without spaces are due")
    return value


BaseUrl = Annotated[str, AfterValidator(_base_url)]
Plain = Annotated[str, AfterValidator(_plain)]


class _Section(BaseModel):
    model_config = STRICT


class AgoraCredentials(_Section):
    """Of one Agora project: the RESTful API's customer id and secret. The second address is the one to switch to."""

    app_id: str = Field(pattern=r"^[A-Za-z0-9]{1,64}$")  # it stands in the path of every call
    customer_id: Plain
    customer_secret: Secret
    base_urls: tuple[BaseUrl, ...] = Field(
        default=("https://api.agora.io", "https://api.sd-rtn.com"), min_length=1, max_length=2
    )


class AliyunCredentials(_Section):
    """The Aliyun access key that Agora's voice moderation hands on. The seed of the callbacks' checksum is that of
    `sources.agora_voice.secrets`."""

    access_key: Plain
    secret_key: Secret


class ShumeiCredentials(_Section):
    """`secret_key` switches the encryption of the body on: its first 16 bytes are the SM4 key."""

    access_key: Secret
    app_id: Plain = "default"
    secret_key: Secret | None = None
    region: Literal["sh", "xjp", "gg"] = "sh"
    base_url: BaseUrl | None = None  # of both streams, instead of the region's

    @field_validator("secret_key")
    @classmethod
    def _long_enough(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and len(secret.get_secret_value().encode()) < 16:
            raise ValueError("at least 16 bytes are due: the first 16 are the SM4 key")
        return secret

    def url(self, stream: Literal["audio", "video"]) -> str:
        """The base address of the audio or video stream's API."""
        return self.base_url or f"http://api-{stream}stream-{self.region}.fengkongcloud.com"


class IflytekCredentials(_Section):
    """`send_secret` puts the secret among the signed parameters, as the documents' table asks and their SDK for Java
    does not: it then stands in the URL."""

    app_id: Plain
    access_key_id: Plain
    access_key_secret: Secret
    send_secret: bool = False
    base_url: BaseUrl = "https://audit.iflyaisol.com"


class YidunCredentials(_Section):
    """Of one live-audio business. `version` is the one its results come in: one business is polled in one version.
    `results`: whether Yidun calls back or a controller asks for them; a business does one or the other."""

    secret_id: Plain
    secret_key: Secret
    business_id: Plain
    version: Literal["v3", "v4"] = "v4"
    results: Literal["push", "poll"] = "push"
    signature_method: Literal["MD5", "SHA1", "SHA256", "SM3"] | None = None  # MD5, unsaid
    base_url: BaseUrl = "https://as.dun.163.com"


class YunxinCredentials(_Section):
    """Of one Yunxin application. `base_url` serves tokens and accounts, `rtc_base_url` rooms and members."""

    app_key: Plain
    app_secret: Secret
    base_url: BaseUrl = "https://api.netease.im"
    rtc_base_url: BaseUrl = "https://rtc.yunxinapi.com"


class Credentials(_Section):
    """By vendor. A vendor that is missing cannot be called for this tenant."""

    agora: AgoraCredentials | None = None
    aliyun: AliyunCredentials | None = None
    shumei: ShumeiCredentials | None = None
    iflytek: IflytekCredentials | None = None
    yidun: YidunCredentials | None = None
    yunxin: YunxinCredentials | None = None

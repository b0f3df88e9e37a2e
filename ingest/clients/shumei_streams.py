"""The streams that Shumei pulls: a plain URL, or a room at one of the RTC vendors, each with its own parameter object.

Field names are Shumei's in snake case; `demo_sences` is spelled as Shumei spells it.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel

from ingest.clients.contract import Parameters

Text = Annotated[str, Field(min_length=1, max_length=2048)]
Token = Annotated[str, Field(min_length=1, max_length=4096, json_schema_extra={"writeOnly": True})]


class Stream(Parameters):
    """One stream type. `parameter` names its object in `data`."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, validate_by_alias=False)

    type: str

    @property
    def room_name(self) -> str | None:
        """The room, where the stream is one."""
        for name in ("channel", "room_id", "str_room_id", "room", "cname", "stream_id"):
            if (value := getattr(self, name, None)) is not None:
                return str(value)
        return None

    def data(self) -> dict[str, Any]:
        """Its part of `data`."""
        fields = self.model_dump(mode="json", by_alias=True, exclude_none=True, exclude={"type"})
        return {"streamType": self.type, f"{self.type.lower()}Param": fields}


class Normal(Stream):
    """A URL: rtmp, rtmps, hls, http, https; flv, m3u8."""

    type: Literal["NORMAL"]
    url: str = Field(pattern=r"^(?:https?|rtmps?|hls)://[^\s/]\S*$", max_length=2048)

    def data(self) -> dict[str, Any]:
        """Its part of `data`: the URL has no object of its own."""
        return {"streamType": self.type, "url": self.url}


class Zego(Stream):
    """A stream, or a room. Without mixing it is a room, and no stream."""

    type: Literal["ZEGO"]
    token_id: Token
    is_mixing_enabled: bool = True
    test_env: bool | None = None
    stream_id: Text | None = None
    room_id: Text | None = Field(default=None, validate_default=True)

    @field_validator("room_id")
    @classmethod
    def _one(cls, room_id: str | None, info: ValidationInfo) -> str | None:
        stream_id = info.data.get("stream_id")
        if info.data.get("is_mixing_enabled") is False:
            if room_id is None or stream_id is not None:
                raise ValueError("with is_mixing_enabled false a room_id is due and no stream_id")
        elif room_id is None and stream_id is None:
            raise ValueError("stream_id or room_id is due")
        return room_id


class Agora(Stream):
    """An Agora channel. `app_id` is Agora's; `uid` the one that the token was made for and nobody's in the room."""

    type: Literal["AGORA"]
    app_id: Text
    channel: Text
    token: Token | None = None
    uid: int | None = Field(default=None, ge=0, lt=1 << 32)
    is_mixing_enabled: bool = True
    channel_profile: Literal[0, 1] = 0
    subscribe_mode: Literal["AUTO", "UNTRUSTED", "TRUSTED"] | None = None
    trusted_user_id_list: list[Text] | None = None
    untrusted_user_id_list: list[Text] | None = None

    @field_validator("subscribe_mode", "trusted_user_id_list", "untrusted_user_id_list")
    @classmethod
    def _split(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None and info.data.get("is_mixing_enabled") is True:
            raise ValueError("only with is_mixing_enabled false")
        return value


class Trtc(Stream):
    """A TRTC room: `demo_sences` 2 splits, 4 mixes. One of the room's two names; room_id wins."""

    type: Literal["TRTC"]
    sdk_app_id: int = Field(ge=1)
    demo_sences: Literal[2, 4]
    user_id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")
    user_sig: Token
    uid: Text | None = None
    room_id: int | None = Field(default=None, ge=1, le=4294967294)
    str_room_id: Text | None = Field(default=None, validate_default=True)

    @field_validator("str_room_id")
    @classmethod
    def _one(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "room_id" in info.data and info.data["room_id"] is None:
            raise ValueError("room_id or str_room_id is due")
        return value


class Volc(Stream):
    """A Volcengine room."""

    type: Literal["VOLC"]
    app_id: Text
    room_id: Text
    token: Token
    user_id: Text
    subscribe_mode: Literal["AUTO", "UNTRUSTED", "TRUSTED"] | None = None


class Gin(Stream):
    """A Gin room."""

    type: Literal["GIN"]
    token_id: Token
    room_id: Text
    ip: Text | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    is_mixing_enabled: bool | None = None


class Ali(Stream):
    """An Alibaba Cloud room."""

    type: Literal["ALI"]
    token: Token
    room: Text
    user_id: Text
    is_mixing_enabled: bool | None = None


class Yunxin(Stream):
    """A Yunxin room."""

    type: Literal["YUNXIN"]
    token: Token
    cname: Text
    uid: int = Field(ge=1)
    app_key: Text


AnyStream: TypeAlias = Annotated[
    Normal | Zego | Agora | Trtc | Volc | Gin | Ali | Yunxin, Field(discriminator="type")
]

"""Shumei audio stream v4: what start wants, and its body."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from ingest.clients.contract import Kind, Opening, Parameters, Start
from ingest.clients.shumei import ShumeiClient, missing
from ingest.clients.shumei_streams import AnyStream

Codes = Annotated[str, Field(pattern=r"^[A-Z]+(?:_[A-Z]+)*$", max_length=512)]
"""Codes joined with `_`, as POLITY_EROTIC_MOAN. Which there are depends on the account and its age."""

_NEED_GENDER = ("TIMBRE", "SING", "LANGUAGE")


def check_business_type(value: str | None) -> str | None:
    """TIMBRE, SING and LANGUAGE are only looked for together with GENDER."""
    codes = (value or "").split("_")
    if "GENDER" not in codes and (alone := [code for code in codes if code in _NEED_GENDER]):
        raise ValueError(f"{', '.join(alone)} need GENDER too")
    return value


class ShumeiStream(Parameters):
    """What audio and video have in common. `bt_id` is the session's id unless it is given. The defaults ask for all
    that lets a room be known to be watched: every segment, and the end."""

    stream: AnyStream
    token_id: str = Field(min_length=1, max_length=128)
    bt_id: str | None = Field(default=None, min_length=1, max_length=128)
    event_id: str = Field(default="default", min_length=1, max_length=64)
    lang: str | None = Field(default=None, pattern=r"^(?:auto|[a-z]{2})$")
    accept_lang: Literal["zh", "en"] | None = None
    init_domain: int | None = Field(default=None, ge=0, le=6)
    room: str | None = Field(default=None, min_length=1, max_length=128)
    return_all_text: bool = True
    return_pre_text: bool = False
    return_pre_audio: bool = False
    return_finish_info: bool = True
    pass_through: dict[str, Any] | None = None
    live_title: str | None = Field(default=None, max_length=512)
    anchor_name: str | None = Field(default=None, max_length=128)
    device_id: str | None = Field(default=None, max_length=128)
    ip: str | None = Field(default=None, max_length=64)

    @property
    def room_name(self) -> str | None:
        """The room as given, or the stream's own."""
        return self.room or self.stream.room_name

    def common_data(self, session_id: str) -> dict[str, Any]:
        """`data` as audio and video share it; flags are 0 and 1."""
        optional = {
            "lang": self.lang,
            "initDomain": self.init_domain,
            "room": self.room_name,
            "extra": {"passThrough": self.pass_through} if self.pass_through is not None else None,
            "liveTitle": self.live_title,
            "anchorName": self.anchor_name,
            "deviceId": self.device_id,
            "ip": self.ip,
        }
        return {
            "tokenId": self.token_id,
            "btId": self.bt_id or session_id,
            **self.stream.data(),
            "returnAllText": int(self.return_all_text),
            "returnPreText": int(self.return_pre_text),
            "returnPreAudio": int(self.return_pre_audio),
            "returnFinishInfo": int(self.return_finish_info),
            **{name: value for name, value in optional.items() if value is not None},
        }


class ShumeiAudio(ShumeiStream):
    """`type` or `business_type` says what to look for."""

    type: Codes | None = None
    business_type: Codes | None = Field(default=None, validate_default=True)
    role: Literal["ADMIN", "HOST", "SYSTEM", "USER"] | None = None
    audio_detect_step: int | None = Field(default=None, ge=1, le=36)
    receive_token_id: str | None = Field(default=None, min_length=1, max_length=64)
    level: int | None = Field(default=None, ge=0, le=4)
    gender: Literal["male", "female"] | None = None

    @field_validator("business_type")
    @classmethod
    def _one(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "type" in info.data and info.data["type"] is None:
            raise ValueError("type or business_type is due")
        return check_business_type(value)


def start_body(start: Start) -> dict[str, Any]:
    """The body of start, but for the account's keys."""
    given: ShumeiAudio = start.parameters
    optional = {
        "role": given.role,
        "audioDetectStep": given.audio_detect_step,
        "receiveTokenId": given.receive_token_id,
        "level": given.level,
        "gender": given.gender,
    }
    top = {"type": given.type, "businessType": given.business_type, "acceptLang": given.accept_lang}
    return {
        "eventId": given.event_id,
        **{name: value for name, value in top.items() if value is not None},
        "callback": start.callback_url,
        "data": given.common_data(start.session_id)
        | {name: value for name, value in optional.items() if value is not None},
    }


def open_client(opening: Opening) -> ShumeiClient:
    """A client of the audio stream."""
    credentials = opening.tenant.credentials.shumei
    assert credentials is not None, "Kind.missing comes first"
    return ShumeiClient(opening, "audiostream", credentials.url("audio"), start_body, pull_failed=True)


KIND = Kind(ShumeiAudio, missing, open_client, rhythm=None, silence=120.0)

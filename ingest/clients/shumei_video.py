"""Shumei video stream v4: pictures and sound of one stream, both called back to the same address."""

from typing import Any

from pydantic import Field, ValidationInfo, field_validator

from ingest.clients.contract import Kind, Opening, Start
from ingest.clients.shumei import ShumeiClient, missing
from ingest.clients.shumei_audio import Codes, ShumeiStream, check_business_type


class ShumeiVideo(ShumeiStream):
    """`img_type` or `img_business_type` for pictures, `audio_type` (NONE for no sound) or `audio_business_type` for
    sound. `detect_frequency`: seconds between two pictures."""

    img_type: Codes | None = None
    img_business_type: Codes | None = Field(default=None, validate_default=True)
    audio_type: Codes | None = None
    audio_business_type: Codes | None = None
    return_all_img: bool = True
    detect_frequency: int = Field(default=3, ge=1, le=60)
    detect_step: int | None = Field(default=None, ge=1)
    img_business_detect_step: int | None = Field(default=None, ge=1)
    stream_name: str | None = Field(default=None, max_length=128)

    @field_validator("img_business_type")
    @classmethod
    def _pictures(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is None and "img_type" in info.data and info.data["img_type"] is None:
            raise ValueError("img_type or img_business_type is due")
        return value

    @field_validator("audio_business_type")
    @classmethod
    def _sound(cls, value: str | None) -> str | None:
        return check_business_type(value)

    @property
    def with_sound(self) -> bool:
        """Whether the sound is looked at."""
        return self.audio_type not in (None, "NONE") or self.audio_business_type is not None


def start_body(start: Start) -> dict[str, Any]:
    """The body of start, but for the account's keys."""
    given: ShumeiVideo = start.parameters
    top = {
        "imgType": given.img_type,
        "imgBusinessType": given.img_business_type,
        "audioType": given.audio_type,
        "audioBusinessType": given.audio_business_type,
        "audioCallback": start.callback_url if given.with_sound else None,
        "acceptLang": given.accept_lang,
    }
    optional = {
        "detectStep": given.detect_step,
        "imgBusinessDetectStep": given.img_business_detect_step,
        "streamName": given.stream_name,
    }
    return {
        "eventId": given.event_id,
        "imgCallback": start.callback_url,
        **{name: value for name, value in top.items() if value is not None},
        "data": given.common_data(start.session_id)
        | {"returnAllImg": int(given.return_all_img), "detectFrequency": given.detect_frequency}
        | {name: value for name, value in optional.items() if value is not None},
    }


def open_client(opening: Opening) -> ShumeiClient:
    """A client of the video stream."""
    credentials = opening.tenant.credentials.shumei
    assert credentials is not None, "Kind.missing comes first"
    return ShumeiClient(opening, "videostream", credentials.url("video"), start_body, pull_failed=False)


KIND = Kind(ShumeiVideo, missing, open_client, rhythm=None, silence=120.0)

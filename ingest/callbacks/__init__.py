"""The registry of callbacks: one line a source. A source's knowledge is in the file of its name."""

from dataclasses import dataclass

from ingest.callbacks import (
    agora_ncs,
    agora_video,
    agora_voice,
    iflytek_audio,
    shumei_audio,
    shumei_video,
    yidun_audio,
    yunxin_rtc,
)
from ingest.callbacks.contract import Callback, Delivery, Found
from ingest.callbacks.fields import digest
from ingest.refusals import Refused
from moderato.sources import Source

CALLBACKS: dict[Source, Callback] = {
    Source.AGORA_VOICE: agora_voice.CALLBACK,
    Source.AGORA_VIDEO: agora_video.CALLBACK,
    Source.AGORA_NCS: agora_ncs.CALLBACK,
    Source.SHUMEI_AUDIO: shumei_audio.CALLBACK,
    Source.SHUMEI_VIDEO: shumei_video.CALLBACK,
    Source.IFLYTEK_AUDIO: iflytek_audio.CALLBACK,
    Source.YIDUN_AUDIO: yidun_audio.CALLBACK,
    Source.YUNXIN_RTC: yunxin_rtc.CALLBACK,
}

_MAX_ID_BYTES = 512


@dataclass(frozen=True, slots=True)
class Identity:
    """What a duplicate is known by (`id`), and the moderation task that keeps its order in Kafka (`task`)."""

    id: str
    task: str


def identify(source: Source, body: bytes, content_type: str = "") -> Identity:
    """The identity of a body that came by callback or by polling. Never raises: a body without the fields of its
    source is known by its digest."""
    return identity(CALLBACKS[source], Delivery(body, content_type, {}))


def identity(callback: Callback, delivery: Delivery) -> Identity:
    """`identify` for a callback that is at hand."""
    try:
        found = callback.identify(delivery)
    except Refused:  # a form that cannot be read, of a source that does not sign
        found = Found()
    id = _bounded(found.id) if found.id else digest(delivery.body)
    return Identity(id, _bounded(found.task) if found.task else id)


def _bounded(text: str) -> str:
    """Ids travel in headers and keys: a longer one than any vendor makes is replaced by its digest."""
    if len(text) * 4 < _MAX_ID_BYTES:
        return text
    encoded = text.encode()
    return text if len(encoded) < _MAX_ID_BYTES else digest(encoded)

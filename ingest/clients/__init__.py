"""The vendors' control APIs: one file a vendor's product, one line here. How they are driven is in contract.py."""

from ingest.clients import agora_video, agora_voice, iflytek_audio, shumei_audio, shumei_video, yidun_audio
from ingest.clients.contract import Kind
from moderato.sources import Source

KINDS: dict[Source, Kind] = {
    Source.AGORA_VOICE: agora_voice.KIND,
    Source.AGORA_VIDEO: agora_video.KIND,
    Source.SHUMEI_AUDIO: shumei_audio.KIND,
    Source.SHUMEI_VIDEO: shumei_video.KIND,
    Source.IFLYTEK_AUDIO: iflytek_audio.KIND,
    Source.YIDUN_AUDIO: yidun_audio.KIND,
}
"""Sources that can be started. `agora_ncs` and `yunxin_rtc` only tell of rooms: nothing is started there."""

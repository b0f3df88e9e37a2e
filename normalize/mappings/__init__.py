"""The registry of mappings: one line a source. A source's knowledge is in the file of its name."""

from moderato.records import Media
from moderato.sources import Source
from normalize.mappings import (
    agora_ncs,
    agora_video,
    agora_voice,
    iflytek_audio,
    shumei_audio,
    shumei_video,
    yidun_audio,
    yunxin_rtc,
)
from normalize.reading import SourceMapping

MAPPINGS: dict[Source, SourceMapping] = {
    Source.AGORA_VOICE: SourceMapping(agora_voice.read, "agora_voice", Media.AUDIO),
    Source.AGORA_VIDEO: SourceMapping(agora_video.read, "agora_video", Media.IMAGE),
    Source.AGORA_NCS: SourceMapping(agora_ncs.read, None, None),
    Source.SHUMEI_AUDIO: SourceMapping(shumei_audio.read, "shumei", Media.AUDIO),
    Source.SHUMEI_VIDEO: SourceMapping(shumei_video.read, "shumei", Media.IMAGE),
    Source.IFLYTEK_AUDIO: SourceMapping(iflytek_audio.read, "iflytek", Media.AUDIO),
    Source.YIDUN_AUDIO: SourceMapping(yidun_audio.read, "yidun", Media.AUDIO),
    Source.YUNXIN_RTC: SourceMapping(yunxin_rtc.read, "yidun", Media.AUDIO),
}

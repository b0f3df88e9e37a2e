"""The closed set of sources: one vendor product that sends results in one family of shapes.

Adding a source starts here (see CONTRIBUTING.md); every registry in the other packages is keyed by this enum.
"""

from moderato.names import Name


class Source(Name):
    AGORA_VOICE = "agora_voice"
    AGORA_VIDEO = "agora_video"
    AGORA_NCS = "agora_ncs"
    SHUMEI_AUDIO = "shumei_audio"
    SHUMEI_VIDEO = "shumei_video"
    IFLYTEK_AUDIO = "iflytek_audio"
    YIDUN_AUDIO = "yidun_audio"
    YUNXIN_RTC = "yunxin_rtc"

"""Callbacks of every source. Adding one = a file with `tell`, `seal` and its delivery rules, and a line here."""

from dataclasses import replace
from random import Random

from moderato.sources import Source
from simulator.callbacks import (
    agora_ncs,
    agora_video,
    agora_voice,
    iflytek_audio,
    shumei_audio,
    shumei_video,
    yidun_audio,
    yunxin_rtc,
)
from simulator.callbacks.contract import Callback, Expected, Moment, SimulatedSource, Told, compact, unsigned
from simulator.malformed import spoil

SOURCES: dict[Source, SimulatedSource] = {
    Source.AGORA_VOICE: SimulatedSource(
        agora_voice.tell, agora_voice.seal, agora_voice.DELIVERY, agora_voice.SECRETS
    ),
    Source.AGORA_VIDEO: SimulatedSource(agora_video.tell, agora_video.seal, agora_video.DELIVERY),
    Source.AGORA_NCS: SimulatedSource(
        agora_ncs.tell, agora_ncs.seal, agora_ncs.DELIVERY, agora_ncs.SECRETS, agora_ncs.restamp
    ),
    Source.SHUMEI_AUDIO: SimulatedSource(shumei_audio.tell, unsigned, shumei_audio.DELIVERY),
    Source.SHUMEI_VIDEO: SimulatedSource(shumei_video.tell, unsigned, shumei_video.DELIVERY),
    Source.IFLYTEK_AUDIO: SimulatedSource(iflytek_audio.tell, unsigned, iflytek_audio.DELIVERY),
    Source.YIDUN_AUDIO: SimulatedSource(
        yidun_audio.tell, yidun_audio.seal, yidun_audio.DELIVERY, yidun_audio.SECRETS
    ),
    Source.YUNXIN_RTC: SimulatedSource(
        yunxin_rtc.tell, yunxin_rtc.seal, yunxin_rtc.DELIVERY, yunxin_rtc.SECRETS
    ),
}


def make(source: Source, url: str, moment: Moment, *, malformed: bool = False) -> tuple[Callback, Told]:
    """The signed callback of a moment, broken inside when `malformed`, and what it was to tell."""
    told = SOURCES[source].tell(moment)
    return sealed(source, url, moment, told, malformed=malformed), told


def sealed(source: Source, url: str, moment: Moment, told: Told, *, malformed: bool = False) -> Callback:
    """What is told, signed as the source signs it, broken inside when `malformed`."""
    simulated = SOURCES[source]
    content = compact(told.content)
    expected = Expected(told.identity, told.judgements)
    accepts = told.accepts or simulated.delivery.accepts
    if malformed:
        content = spoil(content, moment.mark, moment.random)
        expected = Expected(told.identity, (), readable=False)
        # Nobody can tell from broken content that it wanted an answer of its own.
        accepts = simulated.delivery.accepts
    wire = simulated.seal(content, moment.secrets, moment.sent, moment.random)
    return Callback(
        source=source,
        url=url,
        content_type=wire.content_type,
        headers=wire.headers,
        body=wire.body,
        sequence=moment.sequence,
        expected=expected,
        accepts=accepts,
        content=content,
        secrets=moment.secrets,
    )


def sent_again(callback: Callback, now: float) -> Callback:
    """The callback as the vendor posts it a further time at `now`: the same bytes, unless the vendor stamps anew."""
    simulated = SOURCES[callback.source]
    if simulated.restamp is None:
        return callback
    content = simulated.restamp(callback.content, now)
    # Nothing is left to chance when the same callback is signed anew.
    wire = simulated.seal(content, callback.secrets, now, Random(callback.sequence))
    return replace(callback, content=content, headers=wire.headers, body=wire.body)

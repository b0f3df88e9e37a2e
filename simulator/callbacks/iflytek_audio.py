"""iFlytek audio compliance: files with their segments. Only the query's answer is documented; a notice is taken to
carry the same JSON, with or without its envelope."""

from random import Random

from simulator.callbacks.contract import Judged, Moment, Object, Told
from simulator.delivery_rules import DeliveryRules, status_2xx
from simulator.rooms import SEGMENT_SECONDS, Segment, Utterance
from simulator.transcripts import Theme

# Timeout, success and retries are undocumented: any 2xx within five seconds, else three more attempts.
DELIVERY = DeliveryRules(timeout=5.0, waits=(10.0, 30.0, 60.0), accepts=status_2xx)

_CATEGORIES = {
    Theme.POLITICS: ("political", "涉政_政治象征_国旗国徽"),
    Theme.TERRORISM: ("violentTerrorism", "暴恐_暴力行为_教唆暴力"),
    Theme.PORN: ("pornDetection", "色情_性骚扰_重度性骚扰"),
    Theme.ABUSE: ("uncivilizedLanguage", "辱骂_人身攻击_重度人身攻击"),
    Theme.AD: ("advertisement", "广告_联系方式_联系方式"),
    Theme.CONTRABAND: ("contraband", "违禁_违禁品_违禁品"),
    Theme.SPAM: ("lowQualityIrrigation", "低质量灌水_无意义_无意义"),
    Theme.NOVEL: ("deepSynthesis", "深度合成_声音伪造_声音伪造"),
}


def tell(moment: Moment) -> Told:
    """One finished file; as an event a request that is not ready yet or that failed."""
    request_id = f"T{moment.task[:26]}{moment.sequence:06d}"
    if moment.event:
        return _event(moment, request_id)
    segment = moment.segment
    audios = [_audio(moment, said, place) for place, said in enumerate(segment.utterances)]
    judgements = [Judged(said.decision, _category(said)) for said in segment.utterances]
    judgements.append(Judged(segment.worst.decision, _category(segment.worst)))
    name = f"{segment.room.name}%2F{moment.mark}.mp3"
    file = {"name": name, "suggest": segment.worst.decision, "detail": {"audios": audios}}
    data = {"request_id": request_id, "audit_status": 2, "result_list": [file]}
    return Told(_enveloped(moment, data), request_id, tuple(judgements))


def _event(moment: Moment, request_id: str) -> Told:
    status = moment.random.choice((0, 1, 4))
    data: Object = {"request_id": request_id, "audit_status": status}
    if status == 4:
        data["result_list"] = []
    return Told(_enveloped(moment, data), request_id)


def _enveloped(moment: Moment, data: Object) -> Object:
    if moment.random.random() < 0.2:
        return data | {"sid": moment.mark}
    return {"code": "000000", "desc": "请求成功", "data": data, "sid": moment.mark}


def _audio(moment: Moment, said: Utterance, place: int) -> Object:
    random = moment.random
    offset = place * SEGMENT_SECONDS
    return {
        "suggest": said.decision,
        "content": said.line.text,
        # The vendor's table says integer, its sample shows a string.
        "offsetTime": str(offset) if random.random() < 0.5 else offset,
        "duration": SEGMENT_SECONDS,
        "audio_url": _url(moment.segment, place),
        "category_list": _category_list(said, random),
    }


def _category_list(said: Utterance, random: Random) -> list[Object]:
    if not said.theme:
        return []
    category, description = _CATEGORIES[said.theme]
    words: object = random.choice(([], [said.line.keyword], said.line.keyword))
    return [
        {
            "category": category,
            "category_description": description,
            "suggest": said.decision,
            "word_list": words,
        }
    ]


def _category(said: Utterance) -> str:
    return _CATEGORIES[said.theme][0] if said.theme else ""


def _url(segment: Segment, place: int) -> str:
    return f"http://files.example.com/{segment.room.name}/{segment.index}_{place}.mp3"

"""NetEase Yidun live audio: a signed form whose `callbackData` has the v4, the v3 or the v1 shape."""

import hashlib
from collections.abc import Callable, Mapping
from random import Random
from urllib.parse import urlencode

from cryptography.hazmat.primitives import hashes

from simulator.callbacks.contract import (
    Judged,
    Moment,
    Object,
    Secrets,
    Told,
    Wire,
    compact_text,
    milliseconds,
)
from simulator.callbacks.netease import NUMBERS, REVIEW_ACTIONS, SUGGESTION
from simulator.delivery_rules import DeliveryRules, json_code
from simulator.rooms import Utterance

# Every ten minutes, given up after a day. The answer is that of the vendor's own demo receivers, which contents both
# the older pages (status 200) and the newer ones (a body of the required form).
DELIVERY = DeliveryRules(timeout=2.0, waits=(600.0,) * 143, accepts=json_code(200))
SECRETS = ("secret_id", "business_id", "secret_key")

_METHODS = (None, "MD5", "SHA1", "SHA256", "SM3")


def _sm3(data: bytes) -> str:
    # Not hashlib: it has SM3 only where the OpenSSL it was built with does.
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


_DIGESTS: dict[str, Callable[[bytes], str]] = {
    "MD5": lambda data: hashlib.md5(data, usedforsecurity=False).hexdigest(),
    "SHA1": lambda data: hashlib.sha1(data, usedforsecurity=False).hexdigest(),
    "SHA256": lambda data: hashlib.sha256(data).hexdigest(),
    "SM3": _sm3,
}


def signature(form: Mapping[str, str], secret_key: str) -> str:
    """Names in ASCII order, each followed by its raw value, then the key; digest by `signatureMethod`, else MD5."""
    text = "".join(f"{name}{form[name]}" for name in sorted(form)) + secret_key
    return _DIGESTS[form.get("signatureMethod", "MD5").upper()](text.encode())


def seal(content: bytes, secrets: Secrets, sent: float, random: Random) -> Wire:
    """The signed form; which digest is used differs from callback to callback, `scene` is sent now and then."""
    form = {
        "secretId": secrets["secret_id"],
        "businessId": secrets["business_id"],
        "callbackData": content.decode(),
    }
    method = random.choice(_METHODS)
    if method:
        form["signatureMethod"] = method
    if random.random() < 0.1:
        form["scene"] = "liveaudio"
    form["signature"] = signature(form, secrets["secret_key"])
    return Wire("application/x-www-form-urlencoded;charset=utf-8", {}, urlencode(form).encode())


def tell(moment: Moment) -> Told:
    """One result in one of the shapes, now and then a reviewer's; as an event a transcript, silence, the end…"""
    random = moment.random
    if moment.event:
        return random.choices(_EVENTS, _EVENT_WEIGHTS)[0](moment)
    if moment.segment.worst.decision != "pass" and random.random() < 0.15:
        return reviewed(moment)
    shape = random.choices((v4, v4_array, v3_wrapped, v3_flat, v1), (6, 1, 1, 1, 1))[0]
    return shape(moment)


def v4(moment: Moment) -> Told:
    """`antispam` and, mostly, the transcript beside it."""
    worst = moment.segment.worst
    content: Object = {"antispam": _antispam(moment) | {"evidences": _evidences(moment, worst, 0)}}
    if moment.random.random() < 0.7:
        content["asr"] = _asr(moment)
    return Told(content, _identity(moment), (_judged(worst),))


def v4_array(moment: Moment) -> Told:
    """Several results in one push, one for each sentence."""
    said = moment.segment.utterances
    content = [
        {"antispam": _antispam(moment) | {"evidences": _evidences(moment, one, place)}}
        for place, one in enumerate(said)
    ]
    return Told(content, _identity(moment), tuple(_judged(one) for one in said))


def v3_wrapped(moment: Moment) -> Told:
    """v3 as the poll returns it: two arrays."""
    content = {"antispam": [_v3_item(moment)], "asr": [_asr(moment)]}
    return Told(content, _identity(moment), (_judged(moment.segment.worst),))


def v3_flat(moment: Moment) -> Told:
    """One v3 item on top."""
    return Told(_v3_item(moment), _identity(moment), (_judged(moment.segment.worst),))


def v1(moment: Moment) -> Told:
    """The oldest flat shape: no speaker, no segment id."""
    segment, worst = moment.segment, moment.segment.worst
    content: Object = {
        "asrStatus": 3,
        "action": SUGGESTION[worst.decision],
        "taskId": moment.task,
        "callback": _callback(moment),
        "startTime": milliseconds(segment.start),
        "endTime": milliseconds(segment.end),
        "segments": _v1_segments(worst),
    }
    return Told(content, _identity(moment), (_judged(worst),))


def reviewed(moment: Moment) -> Told:
    """A reviewer's decision: ignore, warn, cut or prompt, against a speaker or (no speakerId) the whole room."""
    random, segment = moment.random, moment.segment
    worst = segment.worst
    assert worst.theme is not None
    action = random.choice(tuple(REVIEW_ACTIONS))
    spam_type = NUMBERS[worst.theme].spam_type
    review: Object = {
        "action": action,
        "actionTime": milliseconds(moment.segment.end),
        "spamType": spam_type,
        "spamDetail": worst.line.keyword,
        "warnCount": random.randint(0, 3),
        "promptCount": random.randint(0, 3),
        "segments": [{"startTime": milliseconds(segment.start), "endTime": milliseconds(segment.end)}],
    }
    if random.random() < 0.7:
        review["speakerId"] = str(worst.speaker.uid)
    content = {"antispam": _antispam(moment) | {"censorSource": 0, "reviewEvidences": review}}
    return Told(content, _identity(moment), (Judged(REVIEW_ACTIONS[action], str(spam_type)),))


def _transcript(moment: Moment) -> Told:
    return Told({"asr": _asr(moment)}, _identity(moment))


def _silence(moment: Moment) -> Told:
    return Told({"quality": _timed(moment) | {"details": {"silent": True}}}, _identity(moment))


def _voice(moment: Moment) -> Told:
    voice = _timed(moment) | {
        "mainAgeGroup": "youth",
        "mainAgeGroupRate": 0.83,
        "underage": 0,
        "mainGender": "male",
    }
    language = _timed(moment) | {"content": "普通话", "segmentId": f"seg-{moment.segment.index}"}
    return Told({"voice": voice, "language": language}, _identity(moment))


def _finished(moment: Moment) -> Told:
    finish = {"finishType": moment.random.randint(0, 1), "duration": moment.segment.offset}
    return Told({"antispam": _antispam(moment) | finish}, _identity(moment), ends_task=True)


def _failed(moment: Moment) -> Told:
    failure = {"status": 3, "failureReason": moment.random.randint(1, 4)}
    return Told({"antispam": _antispam(moment) | failure}, _identity(moment), ends_task=True)


_EVENTS = (_transcript, _silence, _voice, _finished, _failed)
_EVENT_WEIGHTS = (3, 2, 1, 2, 1)


def _antispam(moment: Moment) -> Object:
    return {
        "taskId": moment.task,
        "dataId": moment.segment.room.name,
        "callback": _callback(moment),
        "censorSource": 2,
        "status": 2,
        "riskLevel": 0,
        "riskScore": 0,
    }


def _evidences(moment: Moment, said: Utterance, place: int) -> Object:
    segment = moment.segment
    evidences: Object = {
        "suggestion": SUGGESTION[said.decision],
        "label": NUMBERS[said.theme].label if said.theme else 0,
        "startTime": milliseconds(segment.end - 3 * (len(segment.utterances) - place)),
        "endTime": milliseconds(segment.end - 3 * (len(segment.utterances) - place - 1)),
        "content": said.line.text,
        "speakerId": str(said.speaker.uid),
        "segmentId": f"seg-{segment.index}-{place}",
        "frontSegment": {"content": segment.text},
        "labels": _labels(said),
    }
    if said.decision == "review":
        evidences["suggestionLevel"] = moment.random.randint(1, 2)
    return evidences


def _labels(said: Utterance) -> list[Object]:
    if not said.theme:
        return []
    numbers = NUMBERS[said.theme]
    details = {"hitInfos": [{"value": said.line.keyword}], "keywords": [{"word": said.line.keyword}]}
    sub_label = {"subLabel": numbers.sub_label, "subLabelDepth": 2, "rate": said.score, "details": details}
    return [
        {
            "label": numbers.label,
            "level": SUGGESTION[said.decision],
            "rate": said.score,
            "subLabels": [sub_label],
        }
    ]


def _v3_item(moment: Moment) -> Object:
    segment, worst = moment.segment, moment.segment.worst
    evidences: Object = {
        "asrStatus": 3,
        "action": SUGGESTION[worst.decision],
        "startTime": milliseconds(segment.start),
        "endTime": milliseconds(segment.end),
        "content": worst.line.text,
        "speakerId": str(worst.speaker.uid),
        "segmentId": f"seg-{segment.index}",
        "segments": _v3_segments(worst),
    }
    if worst.decision == "review":
        evidences["suggestionLevel"] = moment.random.randint(1, 2)
    return {
        "taskId": moment.task,
        "dataId": segment.room.name,
        "callback": _callback(moment),
        "censorSource": 2,
        "evidences": evidences,
    }


def _v3_segments(said: Utterance) -> list[Object]:
    if not said.theme:
        return []
    numbers = NUMBERS[said.theme]
    sub_label = {"subLabel": numbers.sub_label, "details": {"evidence": said.line.keyword}}
    return [{"label": numbers.label, "level": SUGGESTION[said.decision], "subLabels": [sub_label]}]


def _v1_segments(said: Utterance) -> list[Object]:
    if not said.theme:
        return []
    label, level = NUMBERS[said.theme].label, SUGGESTION[said.decision]
    return [{"label": label, "level": level, "evidence": said.line.keyword}]


def _asr(moment: Moment) -> Object:
    speaker = str(moment.segment.worst.speaker.uid)
    return _timed(moment) | {"content": moment.segment.text, "speakerId": speaker}


def _timed(moment: Moment) -> Object:
    return {
        "taskId": moment.task,
        "startTime": milliseconds(moment.segment.start),
        "endTime": milliseconds(moment.segment.end),
        "callback": _callback(moment),
    }


def _callback(moment: Moment) -> str:
    """What the caller gave at the start, echoed: JSON that names the room."""
    return compact_text({"room": moment.segment.room.name, "mark": moment.mark})


def _judged(said: Utterance) -> Judged:
    return Judged(said.decision, str(NUMBERS[said.theme].label) if said.theme else "0")


def _identity(moment: Moment) -> str:
    return f"{moment.task}/seg-{moment.segment.index}"

"""Agora voice moderation by Aliyun: a form of `checksum` and `content`, one result per stretch of speech."""

import hashlib
from random import Random
from urllib.parse import urlencode

from simulator.callbacks.contract import Judged, Moment, Object, Secrets, Told, Wire, compact_text
from simulator.delivery_rules import DeliveryRules, status_200
from simulator.rooms import Segment, Utterance
from simulator.transcripts import Theme

# Aliyun repeats up to 16 times and gives no interval and no timeout: a minute and five seconds are assumed.
DELIVERY = DeliveryRules(timeout=5.0, waits=(60.0,) * 16, accepts=status_200)
SECRETS = ("uid", "seed")

LISTENER = "527841"  # the uid of the moderation bot

_LABELS = {
    Theme.POLITICS: "politics",
    Theme.TERRORISM: "terrorism",
    Theme.PORN: "porn",
    Theme.ABUSE: "abuse",
    Theme.AD: "ad",
    Theme.CONTRABAND: "contraband",
    Theme.SPAM: "flood",
    Theme.NOVEL: "deepfake",
}
_FAILURES = ((480, "DOWNLOAD_FAILED"), (592, "DOWNLOAD_TIMEOUT"), (586, "ALGO_FAILED"), (581, "TIMEOUT"))


def checksum(uid: str, seed: str, content: str) -> str:
    """Aliyun's checksum: SHA-256 of uid, seed and the content exactly as it stands in the form, lowercase hex."""
    return hashlib.sha256(f"{uid}{seed}{content}".encode()).hexdigest()


def seal(content: bytes, secrets: Secrets, sent: float, random: Random) -> Wire:
    """The form of `checksum` and `content`."""
    text = content.decode()
    form = {"checksum": checksum(secrets["uid"], secrets["seed"], text), "content": text}
    return Wire("application/x-www-form-urlencoded", {}, urlencode(form).encode())


def tell(moment: Moment) -> Told:
    """One result of the mixed stream; as an event a failed or a still silent scan."""
    random = moment.random
    task_id = f"vc_s_{moment.task[:20]}"
    channel = random.choice(("channelName", "channel"))
    room = moment.segment.room.name
    content: Object = {
        "code": 200,
        "dataId": compact_text({channel: room, "uid": LISTENER, "streamType": "audio"}),
        "msg": "OK",
        "taskId": task_id,
        "url": f"rtmp://pull.example.com/{room}/{moment.mark}",
    }
    if moment.event:
        if random.random() < 0.5:
            content |= {"code": 280, "msg": "PROCESSING"}
        else:
            code, message = random.choice(_FAILURES)
            content |= {"code": code, "msg": message}
        return Told(content, task_id)
    if random.random() < 0.2:
        content |= {"code": 280, "msg": "PROCESSING"}
    result = _result(moment.segment, random)
    content["results"] = [result]
    return Told(content, task_id, (Judged(result["suggestion"], result["label"]),))


def _result(segment: Segment, random: Random) -> Object:
    worst = segment.worst
    # Live products give epoch seconds, files offsets into the stream: both are met.
    begin = int(segment.start) if random.random() < 0.6 else segment.offset
    details = [_detail(said, begin + place * 3) for place, said in enumerate(segment.utterances)]
    return {
        "scene": "antispam",
        "label": _label(worst),
        "suggestion": worst.decision,
        "rate": round(worst.score * 100, 2),
        "details": details,
    }


def _detail(said: Utterance, start: int) -> Object:
    detail: Object = {"startTime": start, "endTime": start + 3, "text": said.line.text, "label": _label(said)}
    if said.theme is Theme.AD:
        detail |= {"keyword": said.line.keyword, "libName": "联系方式"}
    return detail


def _label(said: Utterance) -> str:
    return _LABELS[said.theme] if said.theme else "normal"

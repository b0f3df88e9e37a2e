"""NetEase Yunxin RTC: copies of room and member events, and of the bundled moderation's hits (eventType 400)."""

import hashlib
from random import Random

from simulator.callbacks.contract import Judged, Moment, Object, Secrets, Told, Wire, milliseconds
from simulator.callbacks.netease import NUMBERS, REVIEW_ACTIONS, SUGGESTION
from simulator.delivery_rules import DeliveryRules, json_code
from simulator.rooms import Utterance
from simulator.transcripts import Theme

# Timeout and retries of copies are undocumented: five seconds and three more attempts.
DELIVERY = DeliveryRules(timeout=5.0, waits=(5.0, 10.0, 30.0), accepts=json_code(200))
SECRETS = ("app_secret",)

_FIRST_CHANNEL = 43_677_571_680_222


def signatures(app_secret: str, body: bytes, sent_ms: int) -> dict[str, str]:
    """CurTime (milliseconds), MD5 of the body, and CheckSum = SHA-1 of secret, MD5 and CurTime; lowercase hex."""
    md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
    checksum = hashlib.sha1(f"{app_secret}{md5}{sent_ms}".encode(), usedforsecurity=False).hexdigest()
    return {"CurTime": str(sent_ms), "MD5": md5, "CheckSum": checksum, "type": "G2"}


def seal(content: bytes, secrets: Secrets, sent: float, random: Random) -> Wire:
    """JSON with the signature headers."""
    return Wire("application/json", signatures(secrets["app_secret"], content, milliseconds(sent)), content)


def tell(moment: Moment) -> Told:
    """A hit of the bundled moderation; what passes is never copied, so that becomes a room event."""
    worst = moment.segment.worst
    if moment.event or worst.theme is None:
        return _room_event(moment)
    kind = moment.random.choices((audio, video, reviewed), (6, 3, 1))[0]
    return kind(moment, worst, worst.theme)


def audio(moment: Moment, worst: Utterance, theme: Theme) -> Told:
    """A sentence of one speaker; its numbers come as floats now and then."""
    segment, numbers = moment.segment, NUMBERS[theme]
    number = float if moment.random.random() < 0.2 else int
    sub_labels = [{"subLabel": numbers.sub_label, "details": {"evidence": worst.line.keyword}}]
    evidence = {
        "uid": worst.speaker.uid,
        "action": number(SUGGESTION[worst.decision]),
        "startTime": milliseconds(segment.start),
        "endTime": milliseconds(segment.end),
        "asrStatus": number(3),
        "content": worst.line.text,
        "segments": [
            {
                "label": number(numbers.label),
                "level": number(SUGGESTION[worst.decision]),
                "subLabels": sub_labels,
            }
        ],
    }
    judged = Judged(worst.decision, str(numbers.label))
    return Told(_copied(moment, evidences={"audio": evidence}), moment.task, (judged,))


def video(moment: Moment, worst: Utterance, theme: Theme) -> Told:
    """A picture of one member: no action, the labels' levels decide."""
    segment, numbers = moment.segment, NUMBERS[theme]
    evidence = {
        "evidence": {
            "uid": worst.speaker.uid,
            "beginTime": milliseconds(segment.start),
            "endTime": milliseconds(segment.end),
            "type": 1,
            "url": f"http://nos.example.com/{segment.room.name}/{segment.index}.jpg",
        },
        "labels": [{"label": numbers.label, "level": SUGGESTION[worst.decision], "rate": worst.score}],
    }
    judged = Judged(worst.decision, str(numbers.label))
    return Told(_copied(moment, evidences={"video": evidence}), moment.task, (judged,))


def reviewed(moment: Moment, worst: Utterance, theme: Theme) -> Told:
    """A reviewer's decision."""
    action = moment.random.choice(tuple(REVIEW_ACTIONS))
    reason = NUMBERS[theme].spam_type
    review = {"action": action, "label": reason, "detail": worst.line.keyword, "evidence": []}
    judged = Judged(REVIEW_ACTIONS[action], str(reason))
    return Told(_copied(moment, censorSource=0, reviewEvidences=review), moment.task, (judged,))


def _copied(moment: Moment, **more: object) -> Object:
    return {
        "eventType": 400,
        "data": {
            "taskId": moment.task,
            "dataId": f"{moment.task}-{moment.segment.index}",
            "callback": moment.mark,
            "channelId": _FIRST_CHANNEL + moment.segment.room.number,
            "channelName": moment.segment.room.name,
            "censorSource": 2,
            "status": 101,
            **more,
        },
    }


def _room_event(moment: Moment) -> Told:
    # 1 start, 2 end, 4 member in, 5 member out, 8 duration; 400 with status 102 is the end of a moderation.
    event = moment.random.choices((1, 2, 4, 5, 8, 400), (2, 1, 4, 4, 1, 1))[0]
    segment = moment.segment
    if event == 400:
        return Told(_copied(moment, status=102), moment.task, ends_task=True)
    data: Object = {
        "channelId": _FIRST_CHANNEL + segment.room.number,
        "channelName": segment.room.name,
        "createtime": milliseconds(segment.end - segment.offset),
        "timestamp": milliseconds(segment.end),
        "ext": moment.mark,
    }
    if event in (4, 5):
        data["uid"] = segment.worst.speaker.uid
    if event == 8:
        data["duration"] = segment.offset
    return Told({"eventType": event, "data": data}, f"{event}/{moment.mark}")

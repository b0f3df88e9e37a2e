"""What Shumei's audio and video streams have in common: labels, times, ids, human review and failed calls."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from simulator.callbacks.contract import Judged, Moment, Object, Told, milliseconds
from simulator.delivery_rules import json_code
from simulator.rooms import Decision, Utterance
from simulator.transcripts import Theme

SHANGHAI = timezone(timedelta(hours=8))  # Shumei's times carry no zone

RISK_LEVEL: dict[Decision, str] = {"pass": "PASS", "review": "REVIEW", "block": "REJECT"}

_REVIEW_ANSWER = json_code(1100)  # human review alone wants a JSON answer


@dataclass(frozen=True, slots=True)
class Risk:
    """One risk in Shumei's words: three label levels, the Chinese description, the English first label of the
    international edition, and the numbers of the v2 audio scale and of the v3 picture scale."""

    labels: tuple[str, str, str]
    description: str
    english: str
    audio_type: int
    picture_type: int


NORMAL = Risk(("normal", "", ""), "正常", "normal", 0, 0)
RISKS: dict[Theme, Risk] = {
    Theme.POLITICS: Risk(("politics", "shezheng", "shezheng"), "涉政:涉政:涉政", "Politics", 100, 100),
    Theme.TERRORISM: Risk(
        ("violence", "baokongchangjing", "xuexing"), "暴恐:暴恐场景:血腥", "violence", 110, 400
    ),
    Theme.PORN: Risk(
        ("porn", "xingsaorao", "zhongduxingsaorao"), "色情:性骚扰:重度性骚扰", "Erotic", 200, 200
    ),
    Theme.ABUSE: Risk(
        ("abuse", "renshengongji", "zhongdurenshengongji"), "辱骂:人身攻击:重度人身攻击", "Abuse", 210, 500
    ),
    Theme.AD: Risk(("ad", "lianxifangshi", "lianxifangshi"), "广告:联系方式:联系方式", "Ads", 300, 300),
    Theme.CONTRABAND: Risk(("ban", "weijin", "weijin"), "违禁:违禁:违禁", "ban", 600, 510),
    Theme.SPAM: Risk(("meaningless", "wuyiyi", "wuyiyi"), "无意义:无意义:无意义", "meaningless", 400, 320),
    Theme.NOVEL: Risk(
        ("aihuansheng", "aihuansheng", "aihuansheng"), "AI换声:AI换声:AI换声", "DeepVoice", 950, 960
    ),
}


def risk_of(said: Utterance) -> Risk:
    """The risk of a sentence; the normal one when nothing is wrong."""
    return RISKS[said.theme] if said.theme else NORMAL


def labels_of(risk: Risk) -> Object:
    """riskLabel1 to 3 and riskDescription."""
    first, second, third = risk.labels
    return {
        "riskLabel1": first,
        "riskLabel2": second,
        "riskLabel3": third,
        "riskDescription": risk.description,
    }


def all_labels(said: Utterance) -> list[Object]:
    """allLabels: empty on a pass."""
    if not said.theme:
        return []
    return [labels_of(risk_of(said)) | {"riskLevel": RISK_LEVEL[said.decision]}]


def clock(epoch: float) -> str:
    """Epoch seconds -> "YYYY-MM-DD HH:mm:ss" in Shanghai."""
    return f"{datetime.fromtimestamp(epoch, SHANGHAI):%Y-%m-%d %H:%M:%S}"


def processing_times(moment: Moment) -> Object:
    """beginProcessTime and finishProcessTime, epoch milliseconds."""
    finished = milliseconds(moment.segment.end) + 600
    return {"beginProcessTime": finished - 500, "finishProcessTime": finished}


def request_params(moment: Moment) -> Object:
    """The start call's data as it comes back, with the caller's mark passed through."""
    room = moment.segment.room
    return {
        "returnAllText": 1,
        "returnPreAudio": 1,
        "returnPreText": 1,
        "room": room.name,
        "streamType": "NORMAL",
        "tokenId": room.speakers[0].account,
        "url": f"rtmp://pull.example.com/live/{room.name}",
        "callbackParam": {"mark": moment.mark},
    }


def bt_id(moment: Moment) -> str:
    """The caller's own id of the stream."""
    return f"{moment.segment.room.name}-{moment.task[:8]}"


def call_failed(moment: Moment, code: int, message: str) -> Told:
    """A callback whose `code` is not 1100: apart from it only `message` and `requestId` are there."""
    request_id = f"{moment.task}_{moment.segment.index}_{moment.mark}"
    return Told({"code": code, "message": message, "requestId": request_id}, request_id, ends_task=True)


def human_review(moment: Moment, service: str) -> Told:
    """A reviewer's measure against a live room or one of its members: 1 warn, 2 mute, 3 cut, 4 ban."""
    random, segment = moment.random, moment.segment
    operation, target = random.randint(1, 4), random.randint(1, 2)
    request_id = f"{moment.task}_{segment.index}"
    content: Object = {
        "requestId": request_id,
        "serviceId": service,
        "result": {
            "target": target,
            "operation": operation,
            "description": risk_of(segment.worst).description,
            "tips": "请文明发言",
            "duration": 600,
            "evidences": {
                "frameDetail": [],
                "audioDetail": [
                    {
                        "requestId": request_id,
                        "audioUrl": f"http://voice.example.com/{request_id}.mp3",
                        "beginProcessTime": milliseconds(segment.end),
                    }
                ],
            },
        },
        "data": {
            "tokenId": segment.worst.speaker.account,
            "room": segment.room.name,
            "streamId": bt_id(moment),
            "channel": "default",
            "passThrough": {"mark": moment.mark},
        },
    }
    return Told(content, request_id, (Judged("block", str(operation)),), accepts=_REVIEW_ANSWER)

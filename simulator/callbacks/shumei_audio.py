"""Shumei audio stream: one callback per ten seconds, in the flat, the nested and the v2 layout."""

from random import Random

from simulator.callbacks.contract import Judged, Moment, Object, Told
from simulator.callbacks.shumei import (
    NORMAL,
    RISK_LEVEL,
    all_labels,
    bt_id,
    call_failed,
    clock,
    human_review,
    labels_of,
    processing_times,
    request_params,
    risk_of,
)
from simulator.delivery_rules import DeliveryRules, status_200

# At most 20 pushes after a failure, without intervals: those that Shumei's audio files have. No timeout is given.
DELIVERY = DeliveryRules(
    timeout=5.0,
    waits=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0) + (60.0,) * 9,
    accepts=status_200,
)


def tell(moment: Moment) -> Told:
    """One segment in one of the layouts, now and then a reviewer's measure; as an event the end or a failure."""
    if moment.event:
        return _event(moment)
    if moment.segment.worst.decision == "block" and moment.random.random() < 0.1:
        return human_review(moment, "POST_AUDIOSTREAM")
    layout = moment.random.choices((nested, english, flat, v2), (6, 1, 2, 2))[0]
    return layout(moment)


def nested(moment: Moment) -> Told:
    """Today's v4 layout with `audioDetail`; mixed streams list speakers, separate ones name the user."""
    random, segment = moment.random, moment.segment
    worst, request_id = segment.worst, _request_id(moment)
    url = _audio_url(moment, request_id)
    aux: Object = {
        "audioStartTime": clock(segment.start),
        "audioEndTime": clock(segment.end),
        **processing_times(moment),
        "passThrough": {"mark": moment.mark},
        "room": segment.room.name,
    }
    detail: Object = {
        "allLabels": all_labels(worst),
        "audioTags": _tags(random),
        "audioText": segment.text,
        "audioUrl": url,
        "auxInfo": aux,
        "businessLabels": _business_labels(random),
        "preAudioUrl": url.replace(".mp3", "_pre.mp3"),
        "riskDetail": {"audioText": segment.text, "riskSource": 1001 if worst.theme else 1000},
        "riskLevel": RISK_LEVEL[worst.decision],
        "vadCode": 1,
        **labels_of(risk_of(worst)),
    }
    if worst.theme:
        detail["riskDetail"]["riskSegments"] = [
            {"segment": worst.line.keyword, "position": _positions(segment.text, worst.line.keyword)}
        ]
    stream = random.choice(("mixed", "AGORA", "TRTC"))
    if stream == "mixed":
        detail["speakers"] = [[{"uid": worst.speaker.uid, "volume": random.randint(40, 255)}]]
    elif stream == "AGORA":
        aux["userId"] = worst.speaker.uid
    else:
        aux["strUserId"] = str(worst.speaker.uid)
    content: Object = {
        "requestId": request_id,
        "btid": bt_id(moment),
        "code": 1100,
        "message": "成功",
        "statCode": 0,
        "audioDetail": detail,
    }
    if random.random() < 0.3:
        content["requestParams"] = request_params(moment)
    return _told(moment, content, request_id, detail["riskLabel1"])


def english(moment: Moment) -> Told:
    """The international edition: the same layout, English message, description and first label."""
    told = nested(moment)
    content: Object = told.content
    risk = risk_of(moment.segment.worst)
    content["message"] = "Success"
    content["audioDetail"] |= {
        "riskLabel1": risk.english,
        "riskDescription": "Normal" if risk is NORMAL else risk.english,
        "allLabels": [label | {"riskLabel1": risk.english} for label in content["audioDetail"]["allLabels"]],
    }
    return _told(moment, content, told.identity, risk.english)


def flat(moment: Moment) -> Told:
    """The first v4 edition's sample: everything on top, times and address in `riskDetail`."""
    random, segment = moment.random, moment.segment
    request_id = _request_id(moment)
    risk = risk_of(segment.worst)
    content: Object = {
        "requestId": request_id,
        "code": 1100,
        "message": "成功",
        "btid": bt_id(moment),
        "riskLevel": RISK_LEVEL[segment.worst.decision],
        **labels_of(risk),
        "riskDetail": {
            "audioEndtime": clock(segment.end),
            "audioStartTime": clock(segment.start),
            "audioText": segment.text,
            "audioUrl": _audio_url(moment, request_id),
        },
        "businessLabels": _tags(random),
        "requestParams": request_params(moment),
    }
    return _told(moment, content, request_id, risk.labels[0])


def v2(moment: Moment) -> Told:
    """The v2 layout: `detail` with integer risk types and lower-case times."""
    segment = moment.segment
    worst, request_id = segment.worst, f"{moment.task}_{segment.worst.speaker.uid}_{segment.index}"
    risk = risk_of(worst)
    url = _audio_url(moment, request_id)
    detail: Object = {
        "audioUrl": url,
        "preAudioUrl": url.replace(".mp3", "_pre.mp3"),
        "audio_endtime": clock(segment.end),
        "audio_starttime": clock(segment.start),
        "content": segment.text,
        "description": risk.description,
        "riskType": risk.audio_type,
        "riskTypeDesc": risk.description.partition(":")[0],
        "room": segment.room.name,
        "requestParams": request_params(moment) | {"returnAllText": True, "returnPreText": True},
    }
    if worst.theme:
        detail |= {
            "matchedItem": worst.line.keyword,
            "matchedList": detail["riskTypeDesc"],
            "model": "M1020_20",
        }
    content = {
        "code": 1100,
        "message": "成功",
        "requestId": request_id,
        "riskLevel": RISK_LEVEL[worst.decision],
        "detail": detail,
    }
    return _told(moment, content, request_id, str(risk.audio_type))


def _event(moment: Moment) -> Told:
    kind = moment.random.choices(("end", "token", "unreachable", "pull", "service"), (4, 2, 2, 1, 1))[0]
    if kind == "pull":
        return call_failed(moment, 1904, "拉流失败")
    if kind == "service":
        return call_failed(moment, 1903, "服务失败")
    aux: Object = {"streamTime": moment.segment.offset}
    if kind == "token":
        aux["errorCode"] = 3005
    if kind == "unreachable":
        aux["errorCode"] = moment.random.randint(3001, 3004)
    content = {
        "requestId": moment.task,
        "btId": bt_id(moment),
        "code": 1100,
        "message": "成功",
        "statCode": 1,
        "requestParams": request_params(moment),
        "auxInfo": aux,
    }
    return Told(content, moment.task, ends_task=True)


def _told(moment: Moment, content: Object, request_id: str, label: str) -> Told:
    return Told(content, request_id, (Judged(moment.segment.worst.decision, label),))


def _request_id(moment: Moment) -> str:
    return f"{moment.task}_{moment.segment.index}"


def _audio_url(moment: Moment, request_id: str) -> str:
    return f"http://voice.example.com/{moment.mark}/{request_id}.mp3"


def _positions(text: str, keyword: str) -> list[int]:
    start = text.find(keyword)
    return list(range(start, start + len(keyword)))


def _tags(random: Random) -> Object:
    sure = random.randint(60, 99)
    return {
        "gender": {"label": random.choice(("男性", "女性")), "probability": sure},
        "language": [{"label": 0, "probability": sure}, {"label": 1, "probability": 100 - sure}],
        "song": random.randint(0, 1),
        "timbre": [{"label": "青年", "probability": sure}, {"label": "大叔", "probability": 100 - sure}],
    }


def _business_labels(random: Random) -> list[Object]:
    if random.random() < 0.7:
        return []
    return [
        {
            "businessDescription": "唱歌:唱歌:唱歌",
            "businessLabel1": "sing",
            "businessLabel2": "changge",
            "businessLabel3": "changge",
            "confidenceLevel": random.randint(0, 2),
            "probability": round(random.random(), 4),
        }
    ]

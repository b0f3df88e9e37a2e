"""Shumei video stream: frames and audio segments, in the v3, v4 and v5 layouts."""

from simulator.callbacks.contract import Judged, Moment, Object, Told, milliseconds
from simulator.callbacks.shumei import (
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

DELIVERY = DeliveryRules(
    timeout=5.0,
    waits=(5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0, 45.0, 50.0, 55.0, 60.0),
    accepts=status_200,
)


def tell(moment: Moment) -> Told:
    """One frame or audio segment, now and then a reviewer's measure; as an event the end or a failure."""
    if moment.event:
        return _event(moment)
    if moment.segment.worst.decision == "block" and moment.random.random() < 0.1:
        return human_review(moment, "POST_VIDEOSTREAM")
    layout = moment.random.choices((v4_frame, v4_audio, v3_frame, v3_audio, v5), (5, 3, 1, 1, 1))[0]
    return layout(moment)


def v4_frame(moment: Moment) -> Told:
    """A picture, `contentType` 1."""
    request_id = f"{moment.task}_vs{moment.segment.index}_{milliseconds(moment.segment.end)}000000"
    return _v4(moment, request_id, 1, {"frameDetail": _frame(moment)})


def v4_audio(moment: Moment) -> Told:
    """An audio segment, `contentType` 2."""
    return _v4(moment, _request_id(moment), 2, {"audioDetail": _audio(moment)})


def v3_frame(moment: Moment) -> Told:
    """The v3 layout of a picture: its own scale of integer risk types."""
    risk_type = risk_of(moment.segment.worst).picture_type
    return _v3(moment, 1, risk_type, {"imgUrl": _url(moment, "jpg"), "imgTime": _precise(moment.segment.end)})


def v3_audio(moment: Moment) -> Told:
    """The v3 layout of an audio segment."""
    segment = moment.segment
    detail = {
        "audioUrl": _url(moment, "mp3"),
        "audioStartTime": clock(segment.start),
        "audioEndTime": clock(segment.end),
        "audioText": segment.text,
        "content": segment.text,
    }
    return _v3(moment, 2, risk_of(segment.worst).audio_type, detail)


def v5(moment: Moment) -> Told:
    """The v5 layout: a clip with its frames and its audio in one callback."""
    segment, request_id = moment.segment, _request_id(moment)
    worst = segment.worst
    content: Object = {
        "requestId": request_id,
        "code": 1100,
        "message": "成功",
        "statCode": 0,
        "riskLevel": RISK_LEVEL[worst.decision],
        **labels_of(risk_of(worst)),
        "videoDetail": {
            "frameDetail": [_frame(moment)],
            "audioDetail": _audio(moment),
            "videoUrl": _url(moment, "mp4"),
            "startTime": milliseconds(segment.start),
            "endTime": milliseconds(segment.end),
        },
    }
    judged = Judged(worst.decision, risk_of(worst).labels[0])
    return Told(content, request_id, (judged, judged))


def _v4(moment: Moment, request_id: str, content_type: int, detail: Object) -> Told:
    worst = moment.segment.worst
    content: Object = {
        "requestId": request_id,
        "code": 1100,
        "message": "成功",
        "contentType": content_type,
        "statCode": 0,
        **detail,
        "tokenProfileLabels": [],
        "tokenRiskLabels": [],
        "auxInfo": {"passThrough": {"mark": moment.mark}},
    }
    return Told(content, request_id, (Judged(worst.decision, risk_of(worst).labels[0]),))


def _v3(moment: Moment, content_type: int, risk_type: int, detail: Object) -> Told:
    worst, request_id = moment.segment.worst, _request_id(moment)
    content: Object = {
        "requestId": request_id,
        "code": 1100,
        "message": "成功",
        "contentType": content_type,
        "riskLevel": RISK_LEVEL[worst.decision],
        "detail": {
            **detail,
            "riskType": risk_type,
            "description": risk_of(worst).description,
            "room": moment.segment.room.name,
            "requestParams": request_params(moment),
        },
    }
    return Told(content, request_id, (Judged(worst.decision, str(risk_type)),))


def _frame(moment: Moment) -> Object:
    worst = moment.segment.worst
    return {
        "imgUrl": _url(moment, "jpg"),
        "riskLevel": RISK_LEVEL[worst.decision],
        **labels_of(risk_of(worst)),
        "riskDetail": {"ocrText": {"text": worst.line.text}, "riskSource": 1002 if worst.theme else 1000},
        "allLabels": all_labels(worst),
        "businessLabels": [],
        "auxInfo": {
            "imgTime": _precise(moment.segment.end),
            "detectType": 1,
            **processing_times(moment),
            "room": moment.segment.room.name,
        },
    }


def _audio(moment: Moment) -> Object:
    segment = moment.segment
    worst = segment.worst
    return {
        "allLabels": all_labels(worst),
        "audioText": segment.text,
        "audioUrl": _url(moment, "mp3"),
        "auxInfo": {
            "audioEndTime": clock(segment.end),
            "audioStartTime": clock(segment.start),
            **processing_times(moment),
            "room": segment.room.name,
        },
        "businessLabels": [],
        "content": segment.text,
        "riskDetail": {"audioText": segment.text, "riskSource": 1001 if worst.theme else 1000},
        "riskLevel": RISK_LEVEL[worst.decision],
        **labels_of(risk_of(worst)),
    }


def _event(moment: Moment) -> Told:
    kind = moment.random.choices(("end", "unreachable", "quota"), (4, 2, 1))[0]
    if kind == "quota":
        return call_failed(moment, 1904, "流路数超限")
    aux: Object = {"streamTime": moment.segment.offset}
    if kind == "unreachable":
        aux["errorCode"] = moment.random.randint(3001, 3005)
    content = {
        "code": 1100,
        "message": "成功",
        "requestId": moment.task,
        "btId": bt_id(moment),
        "statCode": 1,
        "contentType": 1,
        "riskLevel": "PASS",
        "pullStreamSuccess": kind == "end",
        "auxInfo": aux,
        "detail": {"requestParams": request_params(moment)},
    }
    return Told(content, moment.task, ends_task=True)


def _request_id(moment: Moment) -> str:
    return f"{moment.task}_{moment.segment.index}"


def _url(moment: Moment, kind: str) -> str:
    return f"http://video.example.com/{moment.mark}/{moment.segment.index}.{kind}"


def _precise(epoch: float) -> str:
    return f"{clock(epoch)}.{milliseconds(epoch) % 1000:03d}"

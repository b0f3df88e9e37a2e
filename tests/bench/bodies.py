"""1.2 KB Shumei audio callbacks, as the current edition of the vendor's document lays them out. Deterministic."""

import random

import orjson

COUNT = 500
_WORDS = ["今天", "直播间", "欢迎", "大家", "这个", "主播", "说话", "声音", "很好听", "加我", "微信", "红包"]
_WORDS += ["兼职", "点击", "链接", "关注", "礼物", "榜一", "大哥", "唱歌", "连麦", "下播"]
_LABELS = {
    "PASS": ("normal", "", "", "正常"),
    "REVIEW": ("ad", "lianxifangshi", "lianxifangshi", "广告:联系方式:联系方式"),
    "REJECT": ("abuse", "renshengongji", "zhongdurenshengongji", "辱骂:人身攻击:重度人身攻击"),
}


def bodies() -> list[bytes]:
    """COUNT bodies of about 1.2 KB; 60 % pass, 20 % review, 20 % reject."""
    chance = random.Random(7)
    return [_body(chance, number) for number in range(COUNT)]


def _body(chance: random.Random, number: int) -> bytes:
    [level] = chance.choices(["PASS", "REVIEW", "REJECT"], [60, 20, 20])
    label1, label2, label3, description = _LABELS[level]
    task = f"{chance.getrandbits(128):032x}"
    room = f"room{chance.randrange(10**6):06d}"
    text = "".join(chance.choice(_WORDS) for _ in range(22))
    url = f"https://audio.example.com/stream/{room}/{chance.getrandbits(96):024x}"
    return orjson.dumps(
        {
            "requestId": f"{task}_{number}",
            "btid": f"bt-{number}",
            "code": 1100,
            "message": "成功",
            "statCode": 0,
            "audioDetail": {
                "riskLevel": level,
                "riskLabel1": label1,
                "riskLabel2": label2,
                "riskLabel3": label3,
                "riskDescription": description,
                "audioText": text,
                "audioUrl": url + ".mp3",
                "preAudioUrl": url + "_pre.mp3",
                "riskDetail": {"audioText": text, "riskSource": 1001},
                "allLabels": [],
                "businessLabels": [],
                "audioTags": {"gender": {"label": "男性", "probability": 99}, "song": 0},
                "auxInfo": {
                    "audioStartTime": "2026-11-21 16:00:00",
                    "audioEndTime": "2026-11-21 16:00:10",
                    "beginProcessTime": 1795248010000 + number,
                    "finishProcessTime": 1795248010812 + number,
                    "room": room,
                },
            },
            "requestParams": {
                "returnAllText": 1,
                "room": room,
                "tokenId": f"user_{chance.randrange(10**9)}",
                "lang": "zh",
                "streamType": "NORMAL",
            },
        }
    )

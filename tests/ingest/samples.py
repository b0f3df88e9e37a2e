"""One authentic callback of each source: bytes from the vendors' documents, signed with the secrets of `support`."""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

from moderato.sources import Source

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}

AGORA_VOICE_CONTENT = (
    r'{"code":200,"dataId":"{\"channelName\":\"httpClient463224\",\"uid\":\"527841\",\"streamType\":\"audio\"}",'
    r'"msg":"OK","results":[{"details":[{"endTime":5,"label":"abuse","startTime":1,"text":"xx"}],"label":"abuse",'
    r'"rate":99.91,"scene":"antispam","suggestion":"block"}],"taskId":"vc_s_x","url":"rtmp://x"}'
)
AGORA_VOICE_CHECKSUM = "33e10daf0de23076dd15233ad9a809d7d6968aab2c560ce7631c49bfd6c18d59"
AGORA_VOICE = urlencode({"checksum": AGORA_VOICE_CHECKSUM, "content": AGORA_VOICE_CONTENT}).encode()

AGORA_VIDEO = (
    '{"requestId":"38f8e3cfdc474cd56fc1ceba380d7e1a_1652693284_b5813fe2ae4fa5cdfe5abd8fef82526f",'
    '"callbackParam":{"cname":"httpClient463224"},"callbackData":"SDK 透传的 callbackData 字符串数据",'
    '"checksum":"75ee98849119c2ad4ec2aef58f178fd8",'
    '"object":"test/20201216/38f8e3cfdc474cd56fc1ceba380d7e1a_httpClient463224__uid_s_91__uid_e_video_'
    '20200413081128672.jpg","code":200,"msg":"Moderation complete","channelName":"httpClient463224","userId":"91",'
    '"results":{"porn":{"outputs":{"neutral":0.915607393,"porn":0.082511887,"sexy":0.00188077823},"scene":"neutral"}},'
    '"suggestion":"pass","timestamp":20190611073246073}'
).encode()

# Agora's two published digests are of this body.
AGORA_NCS = (
    b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f",'
    b'"notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}'
)
AGORA_NCS_SHA1 = "033c62f40f687675f17f0f41f91a40c71c0f134c"
AGORA_NCS_SHA256 = "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99"
AGORA_NCS_ERROR = (
    b'{"noticeId":"2000001428:4330:107","productId":3,"eventType":201,"notifyMs":1611566412672,"payload":{'
    b'"cname":"httpClient463224","uid":"527841","sid":"38f8e3cfdc474cd56fc1ceba380d7e1a","sequence":0,'
    b'"sendts":1611566412600,"serviceType":4,"details":{"msgName":"extension_service_error",'
    b'"serviceName":"aliyun_voice_async_scan","streamType":"audio","streamUid":0,"errorCode":3}}}'
)

SHUMEI_AUDIO = (
    '{"requestId":"db45ca0256775771262c7ca5419ca85f_0","code":1100,"message":"成功","btid":"1604285930313",'
    '"riskLevel":"PASS","riskLabel1":"normal","riskLabel2":"","riskLabel3":"","riskDescription":"正常"}'
).encode()
SHUMEI_VIDEO_END = (
    '{"code":1100,"message":"成功","requestId":"5515ce1f9b474a6c4a3d79a8dfcaeaf4","statCode":1,"contentType":1,'
    '"riskLevel":"PASS","pullStreamSuccess":true,"auxInfo":{"streamTime":70}}'
).encode()

IFLYTEK = (
    '{"code":"000000","desc":"请求成功","data":{"request_id":"T20230321155903016bba833f177a000","audit_status":2,'
    '"result_list":[{"name":"xxx%2F1.mp3","suggest":"block"}]},"sid":"d7c868febced455399b373a976d3c3b8"}'
).encode()

YIDUN_DATA = (
    '{"antispam":{"taskId":"38e08da8d2574df4bd2eca9b5153df72","dataId":"room-1001","callback":"{\\"room\\":\\"1001\\"}",'
    '"censorSource":2,"status":2,"riskLevel":0,"riskScore":0,"evidences":{"suggestion":2,"label":600,'
    '"startTime":1650000000000,"endTime":1650000003200,"content":"示例","speakerId":"20001","segmentId":"seg-1",'
    '"labels":[{"label":600,"level":2,"rate":0.98,"subLabels":[{"subLabel":"600018","rate":0.98,"details":'
    '{"hitInfos":[{"value":"示例"}]}}]}]}},"asr":{"taskId":"38e08da8d2574df4bd2eca9b5153df72",'
    '"startTime":1650000000000,"endTime":1650000003200,"content":"示例","speakerId":"20001"}}'
)
YIDUN_FIELDS = {
    "secretId": "a-secret-id-1",
    "businessId": "a-business-id-1",
    "callbackData": YIDUN_DATA,
}
YIDUN_MD5 = "414ae585371921b8fadf54dbcd30e1c2"
YIDUN_SHA256 = "0498f61e1e7183d87882616e8f09b071efd416d70ee7144f12a0a0baada6e354"
YIDUN = urlencode({**YIDUN_FIELDS, "signature": YIDUN_MD5}).encode()

YUNXIN = b'{"eventType":400,"data":{"channelId":43677571680222}}'
YUNXIN_HEADERS = {
    "CurTime": "1440570500855",
    "MD5": "528dd175c56d03a85bd5f1dc893e8f19",
    "CheckSum": "73a569b0f213e7e3a85a81b800cc38fe91c95d90",
    "type": "G2",
}


class Sample(NamedTuple):
    body: bytes
    headers: Mapping[str, str]
    answer: object
    id: str
    key: str


SAMPLES: dict[Source, Sample] = {
    Source.AGORA_VOICE: Sample(
        AGORA_VOICE, FORM, {}, "vc_s_x:e8861c2ec57cc36d1a57857934ccd526", "default/vc_s_x"
    ),
    Source.AGORA_VIDEO: Sample(
        AGORA_VIDEO,
        {"Content-Type": "application/json;charset=utf-8"},
        {},
        "38f8e3cfdc474cd56fc1ceba380d7e1a_1652693284_b5813fe2ae4fa5cdfe5abd8fef82526f",
        "default/38f8e3cfdc474cd56fc1ceba380d7e1a",
    ),
    Source.AGORA_NCS: Sample(
        AGORA_NCS,
        {**JSON, "Agora-Signature": AGORA_NCS_SHA1, "Agora-Signature-V2": AGORA_NCS_SHA256},
        {},
        "4eb720f0-8da7-11e9-a43e-53f411c2761f",
        "default/4eb720f0-8da7-11e9-a43e-53f411c2761f",
    ),
    Source.SHUMEI_AUDIO: Sample(
        SHUMEI_AUDIO,
        JSON,
        {"code": 1100, "message": "success"},
        "db45ca0256775771262c7ca5419ca85f_0",
        "default/db45ca0256775771262c7ca5419ca85f",
    ),
    Source.SHUMEI_VIDEO: Sample(
        SHUMEI_VIDEO_END,
        {},
        {"code": 1100, "message": "success"},
        "5515ce1f9b474a6c4a3d79a8dfcaeaf4:1",
        "default/5515ce1f9b474a6c4a3d79a8dfcaeaf4",
    ),
    Source.IFLYTEK_AUDIO: Sample(
        IFLYTEK,
        {"Content-Type": "text/plain"},
        {"code": "000000", "desc": "success"},
        "T20230321155903016bba833f177a000:2",
        "default/T20230321155903016bba833f177a000",
    ),
    Source.YIDUN_AUDIO: Sample(
        YIDUN,
        {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"},
        {"code": 200, "msg": "ok"},
        "38e08da8d2574df4bd2eca9b5153df72:evidences+asr:seg-1:20001:2:55bfb9c3c51262c6af354729265741b7",
        "default/38e08da8d2574df4bd2eca9b5153df72",
    ),
    Source.YUNXIN_RTC: Sample(
        YUNXIN,
        {**JSON, **YUNXIN_HEADERS},
        {"code": 200},
        "40d6b0e35e707c20cd1b58ad5f8fb6f3",
        "default/43677571680222",
    ),
}

"""Shumei spells the same field differently between its versions (btId, btid; audioEndTime, audioEndtime,
audio_endtime): every object is brought to one spelling when it is opened, so that readers ask for one name."""

from normalize.payload import Json, Object, an_object

_DOCUMENTED = """
requestId code message btId statCode contentType serviceId pullStreamSuccess passThrough requestParams
auxInfo detail audioDetail frameDetail videoDetail

riskLevel riskLabel1 riskLabel2 riskLabel3 riskDescription riskDetail riskSource allLabels riskType riskTypeDesc
probability confidence confidenceLevel label businessLabels businessLabel1 businessLabel2 businessLabel3
businessDescription audioTags minorLabel tokenProfileLabels tokenRiskLabels

audioUrl preAudioUrl imgUrl videoUrl audioText content ocrText text matchedLists riskSegments words word segment
position name matchedItem matchedList matchedDetail description model speakers vadCode

audioStartTime audioEndTime imgTime startTime endTime beginProcessTime finishProcessTime detectType streamTime
room userId strUserId trtcUserId seiInfo errorCode

result data target operation tips duration evidences tokenId streamId channel

url lang role streamType streamName zegoParam agoraParam trtcParam initDomain returnAllText returnPreText
returnPreAudio returnFinishInfo returnAllImg detectFrequency extra callbackParam
"""
# The samples of all editions spell btId so; nobody reads it, and it is no reason to look at every name.
NAMES = frozenset((*_DOCUMENTED.split(), "btid"))


def _fold(name: str) -> str:
    return name.replace("_", "").casefold()


_SPELLINGS = {_fold(name): name for name in _DOCUMENTED.split()}


def opened(value: Json, what: str) -> Object:
    """`value` as an object in which every field that is known stands under its one spelling, a field that stands
    there already (and is not null) before its variants; Unreadable when it is no object."""
    content = an_object(value, what)
    if not NAMES.issuperset(content):
        for name in [name for name in content if name not in NAMES]:
            known = _SPELLINGS.get(_fold(name))
            if known is not None and content.get(known) is None:
                content[known] = content[name]
    return content


def opened_in(parent: Object, key: str) -> Object | None:
    """The object at `key` as `opened` gives it, None when it is missing or null."""
    value = parent.get(key)
    return None if value is None else opened(value, key)


def opened_all(parent: Object, key: str) -> list[Object]:
    """The objects at `key`, given as a list or as one object; none when it is missing or null."""
    value = parent.get(key)
    if value is None:
        return []
    if isinstance(value, list):
        return [opened(item, f"an element of {key}") for item in value]
    return [opened(value, key)]

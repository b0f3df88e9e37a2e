"""Shumei's video streams, v3 to v5: callbacks for pictures and for segments of sound."""

from moderato.records import Media, SignalKind
from normalize.mappings import shumei
from normalize.mappings.shumei_segment import read_segment
from normalize.payload import Object, as_int, parse_json
from normalize.reading import Raw, Reading

_CONTENT_TYPES: dict[int | None, Media] = {1: Media.IMAGE, 2: Media.AUDIO}


def _flat_media(record: Object) -> Media:
    """What a record of the v3 layout judged: by its contentType, else by what it shows."""
    media = _CONTENT_TYPES.get(as_int(record.get("contentType")))
    if media is None:
        sounds = (record.get("audioUrl") or record.get("audioText")) and not record.get("imgUrl")
        media = Media.AUDIO if sounds else Media.IMAGE
    return media


PRODUCT = shumei.Product(
    # On video streams 1904 says that more streams were started than the customer has bought.
    code_1904=SignalKind.TASK_FAILED,
    flat_media=_flat_media,
    risk_types={Media.AUDIO: "riskType_v3_audio", Media.IMAGE: "riskType_v3_picture"},
)


def read(raw: Raw, out: Reading) -> None:
    """See `shumei.read`."""
    body = parse_json(raw.body)
    if type(body) is not dict or not read_segment(body, out):
        shumei.read(body, out, PRODUCT)

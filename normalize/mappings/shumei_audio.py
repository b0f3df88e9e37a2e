"""Shumei's audio streams, v2 and v4: one callback for each segment of ten seconds."""

from moderato.records import Media, SignalKind
from normalize.mappings import shumei
from normalize.mappings.shumei_segment import read_segment
from normalize.payload import Object, parse_json
from normalize.reading import Raw, Reading


def _always_audio(record: Object) -> Media:
    return Media.AUDIO


PRODUCT = shumei.Product(
    code_1904=SignalKind.STREAM_UNREACHABLE,
    flat_media=_always_audio,
    risk_types={Media.AUDIO: "riskType", Media.IMAGE: "riskType_v3_picture"},
)


def read(raw: Raw, out: Reading) -> None:
    """See `shumei.read`."""
    body = parse_json(raw.body)
    if type(body) is not dict or not read_segment(body, out):
        shumei.read(body, out, PRODUCT)

"""The vendors' control APIs: one file a vendor's product, one line here. How they are driven is in contract.py."""

from ingest.clients.contract import Kind
from moderato.sources import Source

KINDS: dict[Source, Kind] = {}
"""Sources that can be started. `agora_ncs` and `yunxin_rtc` only tell of rooms: nothing is started there."""

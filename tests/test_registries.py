"""A source is complete when every registry has it: what "add a source in four steps" relies on."""

from pathlib import Path

import pytest

from ingest.callbacks import CALLBACKS
from moderato import topics
from moderato.sources import Source
from normalize.mappings import MAPPINGS
from normalize.scale import built_in

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("source", Source)
def test_a_source_is_received_mapped_and_has_its_topic_and_fixtures(source: Source) -> None:
    assert source in CALLBACKS, "ingest/callbacks/__init__.py lacks it (step 2)"
    assert source in MAPPINGS, "normalize/mappings/__init__.py lacks it (step 3)"
    table = MAPPINGS[source].table
    assert table is None or table in built_in().vendors, "normalize/tables lacks its table (step 3)"
    assert topics.raw(source) in {topic.name for topic in topics.ALL}
    assert any((FIXTURES / source).iterdir()), "tests/fixtures lacks the vendor's samples"

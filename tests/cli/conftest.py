import os

import pytest


@pytest.fixture(autouse=True)
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have Moderato configured in the environment."""
    for name in os.environ:
        if name.startswith("MODERATO_"):
            monkeypatch.delenv(name)

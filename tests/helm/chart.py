"""The chart, its scenarios, and what they render to."""

import hashlib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/moderato"
RENDERED = Path(__file__).with_name("rendered")
SCENARIOS = sorted(path.name.removesuffix("-values.yaml") for path in (CHART / "ci").glob("*-values.yaml"))
KUBERNETES = "1.34"
"""The version that rendered manifests are checked against."""

Manifest = dict[str, Any]


def digest() -> str:
    """Of everything that what the chart renders depends on."""
    found = hashlib.sha256()
    for path in sorted(CHART.rglob("*")):
        place = path.relative_to(CHART)
        if path.is_file() and place.parts[0] not in ("tests", "README.md", "README.head.md"):
            found.update(str(place).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def rendered(scenario: str) -> list[Manifest]:
    """The manifests of a scenario, as `make chart-test` has rendered them."""
    text = (RENDERED / f"{scenario}.yaml").read_text(encoding="utf-8")
    return [manifest for manifest in yaml.safe_load_all(text) if manifest]

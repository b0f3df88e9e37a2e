"""The recording and alert rules of deploy/prometheus, and the metrics that they may speak of."""

import re
from pathlib import Path
from typing import Any

import yaml

from moderato.metrics import REGISTRY

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy/prometheus").glob("*.rules.yaml"))
ENTRIES: list[dict[str, Any]] = [
    rule
    for file in FILES
    for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in ENTRIES if "alert" in rule]
RECORDED = {rule["record"] for rule in ENTRIES if "record" in rule}


def exported() -> dict[str, set[str]]:
    """Every metric by the name it is scraped under, with its labels."""
    found: dict[str, set[str]] = {}
    for collector, names in REGISTRY._collector_to_names.items():
        own = getattr(collector, "_labelnames", None) or (getattr(collector, "_label", None),)
        for name in names:
            found[name] = set(own) - {None}
            if name.endswith("_bucket"):
                found[name] |= {"le"}
    return found


def unknown(expression: str) -> list[str]:
    """What an expression names that no process exports and no rule records: metrics, and labels in matchers."""
    known = exported()
    wrong = []
    for name, matchers in re.findall(r"\b(moderato[a-z_:0-9A-Z]+)(?:\{([^}]*)\})?", expression):
        if name in RECORDED:
            continue
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) - {"namespace", "job", "instance"}
        if name not in known:
            wrong.append(name)
        elif labels - known[name]:
            wrong.append(f"{name}{{{', '.join(sorted(labels - known[name]))}}}")
    return wrong

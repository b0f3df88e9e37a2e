"""Writes what the chart takes from elsewhere: `python -m helm.generate` (`make chart`)."""

import json
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from helm.generate.values import Values
from moderato import lifecycle, topics
from moderato.bus.stage import group_of
from moderato.cli.ledger import STAGES
from moderato.cli.roles import NAMES

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm/moderato"
_WIDTH = 116
_SPARE = 10  # seconds of a pod's grace besides what roles take: the admin server, the interpreter's end


def generated() -> dict[Path, str]:
    """Every generated file with its text, by its path in the chart."""
    values = Values.model_validate({})
    files = {
        Path("values.yaml"): "\n".join(_yaml(values)) + "\n",
        Path("values.schema.json"): json.dumps(_schema(), indent=2) + "\n",
        Path("README.md"): _readme(values),
        Path("files/facts.yaml"): _facts(),
    }
    for folder, source in (("rules", "deploy/prometheus"), ("dashboards", "deploy/grafana/dashboards")):
        for path in sorted((ROOT / source).iterdir()):
            files[Path("files", folder, path.name)] = path.read_text(encoding="utf-8")
    return files


_ROLES = {"counter": "policy"}
"""The role of a stage, where it has another name."""


def _facts() -> str:
    """What templates have to know of the code: budgets, groups, topics."""
    facts = {
        "roles": list(NAMES),
        "stopSeconds": round(lifecycle.STOP_BUDGET) + _SPARE,
        # A stage that is part of another's role scales with it.
        "stages": {
            role: [
                {"group": group_of(name), "topics": list(read)}
                for name, read in STAGES.items()
                if _ROLES.get(name, name) == role
            ]
            for role in NAMES
            if role in STAGES
        },
        "topics": [
            {"name": each.name, "partitions": each.partitions, "config": each.config} for each in topics.ALL
        ],
    }
    head = "# Written by `make chart` from the code.\n"
    return head + yaml.safe_dump(facts, sort_keys=False)


def _schema() -> dict[str, Any]:
    schema = Values.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **_plain(schema)}


def _plain(node: Any) -> Any:
    """Without pydantic's titles, which only repeat the names; descriptions in one line."""
    if isinstance(node, dict):
        return {
            name: " ".join(value.split())
            if name == "description" and isinstance(value, str)
            else _plain(value)
            for name, value in node.items()
            if not (name == "title" and isinstance(value, str))
        }
    return [_plain(each) for each in node] if isinstance(node, list) else node


def _fields(model: BaseModel) -> Iterator[tuple[str, Any, str]]:
    for name, field in type(model).model_fields.items():
        if not field.alias:
            yield name, getattr(model, name), " ".join((field.description or "").split())


def _yaml(model: BaseModel, indent: str = "") -> Iterator[str]:
    if not indent:
        yield "# Written by `make chart` from helm/generate/values.py."
    for name, value, description in _fields(model):
        if not indent:
            yield ""
        for line in textwrap.wrap(description, _WIDTH - len(indent)):
            yield f"{indent}# {line}"
        if isinstance(value, BaseModel):
            yield f"{indent}{name}:"
            yield from _yaml(value, indent + "  ")
        else:
            yield f"{indent}{name}: {json.dumps(value, ensure_ascii=False)}"


def _rows(model: BaseModel, prefix: str = "") -> Iterator[str]:
    for name, value, description in _fields(model):
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{prefix}{name}.")
        else:
            yield f"| `{prefix}{name}` | `{json.dumps(value)}` | {description} |"


def _readme(values: Values) -> str:
    head = (CHART / "README.head.md").read_text(encoding="utf-8")
    table = ["## Values", "", "| value | default | what it is |", "|---|---|---|", *_rows(values)]
    return "\n".join([head.rstrip(), "", *table, ""])


def main() -> None:
    """Writes all of them; generated files that nothing stands for any more go."""
    shutil.rmtree(CHART / "files", ignore_errors=True)
    for path, text in generated().items():
        (CHART / path).parent.mkdir(parents=True, exist_ok=True)
        (CHART / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

"""What `make chart` writes is current, and values are held by their schema."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from helm.generate.__main__ import generated
from tests.helm.chart import CHART, SCENARIOS

SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))


def test_the_generated_files_are_current() -> None:
    files = generated()
    assert {path for path in files if (CHART / path).read_text(encoding="utf-8") != files[path]} == set(), (
        "make chart"
    )
    there = {path.relative_to(CHART) for path in (CHART / "files").rglob("*") if path.is_file()}
    assert there == {path for path in files if path.parts[0] == "files"}


@pytest.mark.parametrize("path", ["values.yaml", *(f"ci/{name}-values.yaml" for name in SCENARIOS)])
def test_values_are_what_the_schema_wants(path: str) -> None:
    jsonschema.validate(yaml.safe_load((CHART / path).read_text(encoding="utf-8")), SCHEMA)


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"kafak": {}}, "$"),
        ({"kafka": {"bootstrap": "no-port"}}, "$.kafka.bootstrap"),
        ({"kafka": {"sasl": {"mechanism": "GSSAPI"}}}, "$.kafka.sasl.mechanism"),
        ({"kafka": {"requestTimeout": "5s"}}, "$.kafka.requestTimeout"),
        ({"roles": {"receiver": {"replicas": -1}}}, "$.roles.receiver.replicas"),
        ({"roles": {"receiver": {"keda": {}}}}, "$.roles.receiver"),
        ({"roles": {"policy": {"keda": {"minReplicas": 0}}}}, "$.roles.policy.keda.minReplicas"),
        ({"image": {"digest": "latest"}}, "$.image.digest"),
        ({"service": {"port": 0}}, "$.service.port"),
        ({"monitoring": {"podMonitor": {"interval": "often"}}}, "$.monitoring.podMonitor.interval"),
        ({"topics": {"job": {"replication": "three"}}}, "$.topics.job.replication"),
    ],
)
def test_a_wrong_value_is_refused_with_its_path(values: dict[str, Any], where: str) -> None:
    faults = list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(values))
    assert [fault.json_path for fault in faults] == [where]


def test_no_object_of_ours_takes_names_that_it_does_not_know() -> None:
    for name, definition in {**SCHEMA["$defs"], "Values": SCHEMA}.items():
        assert definition.get("additionalProperties") is False, name


def test_every_value_says_what_it_is_for() -> None:
    for name, definition in {**SCHEMA["$defs"], "Values": SCHEMA}.items():
        for field, schema in definition["properties"].items():
            assert "description" in schema or "$ref" in schema, f"{name}.{field}"


def test_the_chart_has_the_version_that_it_installs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    project = (Path(CHART).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{chart["appVersion"]}"' in project

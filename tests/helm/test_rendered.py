"""What the chart renders, held against the API server's schemas and the promises of the chart."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from deploy.grafana.boards import BOARDS
from moderato import lifecycle
from moderato.cli.roles import NAMES
from moderato.settings import load
from tests.helm.chart import KUBERNETES, RENDERED, SCENARIOS, Manifest, digest, rendered

ALL = [
    pytest.param(scenario, manifest, id=f"{scenario}: {manifest['kind']} {manifest['metadata']['name']}")
    for scenario in SCENARIOS
    for manifest in rendered(scenario)
]
CUSTOM = {
    "ScaledObject",
    "TriggerAuthentication",
    "PodMonitor",
    "PrometheusRule",
    "KafkaTopic",
    "KafkaUser",
    "HTTPRoute",
}


def pods(manifests: list[Manifest]) -> Iterator[tuple[str, dict[str, Any]]]:
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest["spec"]
        elif "template" in manifest.get("spec", {}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]["spec"]


def workloads(scenario: str) -> dict[str, Manifest]:
    return {
        manifest["metadata"]["labels"]["app.kubernetes.io/component"]: manifest
        for manifest in rendered(scenario)
        if manifest["kind"] in ("Deployment", "StatefulSet")
    }


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_it_was_rendered_from_the_chart_as_it_is(scenario: str) -> None:
    head = (RENDERED / f"{scenario}.yaml").read_text(encoding="utf-8").partition("\n")[0]
    assert digest() in head, "make chart-test"


@pytest.mark.parametrize(("scenario", "manifest"), ALL)
def test_the_api_server_would_take_it(scenario: str, manifest: Manifest) -> None:
    if manifest["kind"] in CUSTOM:
        assert manifest["spec"]
    else:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "moderato"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_pod_is_restricted_and_talks_to_no_api_server(scenario: str) -> None:
    found = list(pods(rendered(scenario)))
    assert len(found) > len(workloads(scenario)) > 3
    for name, spec in found:
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_role_runs_with_probes_and_time_to_drain(scenario: str) -> None:
    found = workloads(scenario)
    # Without sessions there is nothing to control.
    assert set(found) == set(NAMES) - ({"controller"} if scenario != "full" else set())
    for role, manifest in found.items():
        spec = manifest["spec"]["template"]["spec"]
        (container,) = spec["containers"]
        assert container["args"] == ["run", role]
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "admin"}
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "admin"}
        before = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert (before > 0) == (role == "receiver")
        assert spec["terminationGracePeriodSeconds"] > before + lifecycle.STOP_BUDGET


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_two_never_scale_the_same_workload(scenario: str) -> None:
    scaled = [
        manifest["spec"]["scaleTargetRef"]["name"]
        for manifest in rendered(scenario)
        if manifest["kind"] in ("HorizontalPodAutoscaler", "ScaledObject")
    ]
    assert len(scaled) == len(set(scaled))
    for manifest in workloads(scenario).values():
        assert ("replicas" in manifest["spec"]) == (manifest["metadata"]["name"] not in scaled)
    for manifest in rendered(scenario):
        if manifest["kind"] == "ScaledObject":
            assert manifest["spec"]["minReplicaCount"] >= 1
            for trigger in manifest["spec"]["triggers"]:
                assert all(isinstance(value, str) for value in trigger["metadata"].values())


def test_the_minimum_is_a_whole_pipeline() -> None:
    kinds = {manifest["kind"] for manifest in rendered("minimal")}
    assert kinds == {
        "ConfigMap",
        "Deployment",
        "Job",
        "Pod",
        "PodDisruptionBudget",
        "Service",
        "ServiceAccount",
    }


def test_no_secret_value_is_in_the_chart() -> None:
    for manifest in rendered("full"):
        if manifest["kind"] == "Secret":
            assert set(manifest["stringData"]) == {"username"}


def test_receivers_with_a_spool_keep_their_volumes() -> None:
    receiver = workloads("spool")["receiver"]
    assert receiver["kind"] == "StatefulSet"
    assert receiver["spec"]["persistentVolumeClaimRetentionPolicy"] == {
        "whenDeleted": "Retain",
        "whenScaled": "Retain",
    }
    environment = {
        each["name"]: each.get("value")
        for each in receiver["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    assert environment["MODERATO_SPOOL__DIRECTORY"].startswith("/var/lib/moderato")


def test_alerts_and_dashboards_come_along_unchanged_but_for_the_runbooks() -> None:
    (rules,) = [each for each in rendered("full") if each["kind"] == "PrometheusRule"]
    alerts = [rule for group in rules["spec"]["groups"] for rule in group["rules"] if "alert" in rule]
    assert all(
        rule["annotations"]["runbook_url"] == f"https://runbooks.example.com/moderato/{rule['alert']}.md"
        for rule in alerts
    )
    assert any("{{ $labels" in rule["annotations"]["summary"] for rule in alerts)
    boards = [each for each in rendered("full") if "grafana_dashboard" in each["metadata"]["labels"]]
    assert len(boards) == len(BOARDS)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_pods_find_a_configuration_that_loads(
    scenario: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every secret that the manifests name, at the places where they mount it."""
    text = (RENDERED / f"{scenario}.yaml").read_text(encoding="utf-8")
    mounts = set(re.findall(r"mountPath: ([^\s,}]+)", text))
    for place in set(re.findall(r"(?:/run/secrets|/etc/moderato)\S*/[\w.-]+", text)) - mounts:
        path = tmp_path / place.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2Vj")
    here = {"/run/secrets": f"{tmp_path}/run/secrets", "/etc/moderato": f"{tmp_path}/etc/moderato"}
    for manifest in rendered(scenario):
        if manifest["kind"] == "ConfigMap" and "moderato.yaml" in manifest["data"]:
            (tmp_path / "moderato.yaml").write_text(moved(manifest["data"]["moderato.yaml"], here))
    for role, manifest in workloads(scenario).items():
        with monkeypatch.context() as environment:
            for each in manifest["spec"]["template"]["spec"]["containers"][0]["env"]:
                environment.setenv(each["name"], moved(each.get("value", "a password"), here))
            environment.setenv("MODERATO_CONFIG", str(tmp_path / "moderato.yaml"))
            settings = load()
        assert settings.kafka.bootstrap, role
        assert (settings.spool is not None) == (scenario == "spool" and role == "receiver")
        assert (settings.kafka.sasl is not None) == (scenario != "minimal")


def moved(text: str, places: dict[str, str]) -> str:
    """The text with paths of a pod replaced by those of the test."""
    for place, here in places.items():
        text = text.replace(place, here)
    return text

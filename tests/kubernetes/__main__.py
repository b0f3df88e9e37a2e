"""`make k8s-test`: the chart on a real Kubernetes API server: installed, upgraded, rolled back and uninstalled.

Every scenario of helm/moderato/ci in a namespace of its own, with the definitions of KEDA and of the Prometheus
operator that its objects need. Nodes and pods are kwok's: they become ready without running anything, so that what is
looked at is what the API server, its controllers and helm make of the chart. The programs are built by Go into a cache
outside the tree (about a quarter of an hour, once), or are those in the folder MODERATO_KUBERNETES."""

import os
import subprocess
import sys
import tempfile
import urllib.error
from pathlib import Path
from typing import Any

import yaml

from tests.helm.__main__ import tool
from tests.helm.chart import CHART, SCENARIOS
from tests.kubernetes.control_plane import ControlPlane, module

_PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
_DEFINITIONS = (
    ("github.com/kedacore/keda/v2", "v2.21.0", "config/crd/bases/keda.sh_*.yaml"),
    (
        "github.com/prometheus-operator/prometheus-operator",
        "v0.85.0",
        "example/prometheus-operator-crd/monitoring.coreos.com_*.yaml",
    ),
)
_NEEDED = ("scaledobjects", "triggerauthentications", "servicemonitors", "podmonitors", "prometheusrules")
# The volumes of a spool hold what was acknowledged, and stay when the release goes.
_STAY = "PersistentVolumeClaim/"


def main() -> int:
    programs = _programs()
    with tempfile.TemporaryDirectory(prefix="moderato-k8s-") as folder:
        plane = ControlPlane(programs, Path(folder))
        try:
            plane.start()
            version = plane.ask("GET", "/version")["gitVersion"]
            print(f"kube-apiserver {version}")
            _define(plane)
            faults = [fault for scenario in SCENARIOS for fault in _tried(plane, scenario)]
        finally:
            plane.stop()
    for fault in faults:
        print(f"FAULT {fault}", file=sys.stderr)
    return int(bool(faults))


def _programs() -> Path:
    if given := os.environ.get("MODERATO_KUBERNETES"):
        return Path(given)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moderato" / "kubernetes"
    if not all((cache / name).exists() for name in _PROGRAMS):
        print(f"building a control plane into {cache}: about a quarter of an hour, once", flush=True)
        subprocess.run([str(Path(__file__).with_name("build.sh")), str(cache)], check=True)
    return cache


def _define(plane: ControlPlane) -> None:
    """The custom resources that the chart knows, from their operators' own definitions."""
    for name, version, pattern in _DEFINITIONS:
        for path in sorted(module(name, version).glob(pattern)):
            for definition in yaml.safe_load_all(path.read_text()):
                if definition and definition["spec"]["names"]["plural"] in _NEEDED:
                    plane.ask("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition)
                    print(f"defined {definition['metadata']['name']}")


def _tried(plane: ControlPlane, scenario: str) -> list[str]:
    """What is not as it should be."""
    namespace = f"live-{scenario}"
    plane.ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    values = str(CHART / "ci" / f"{scenario}-values.yaml")
    faults: list[str] = []

    def helm(*arguments: str) -> bool:
        command = [tool("helm"), *arguments, "--namespace", namespace, "--kubeconfig", str(plane.kubeconfig)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        if ended.returncode:
            faults.append(f"{scenario}: helm {' '.join(arguments[:2])}: {ended.stderr.strip()[-1500:]}")
        return not ended.returncode

    given = ("mod", str(CHART), "--values", values)
    wait = ("--wait", "--timeout", "120s")
    if not helm("install", *given, "--dry-run=server") or not helm("install", *given, *wait):
        return faults
    installed = sorted(plane.objects(namespace))
    faults += [f"{scenario}: not ready: {name}" for name in _unready(plane, namespace)]
    print(f"{scenario}: {len(installed)} objects installed, every workload is ready")
    before = _templates(plane, namespace)
    changed = (*given, "--set", "settings.log.level=debug")
    if helm("upgrade", *changed, *wait):
        faults += [f"{scenario}: not ready after the upgrade: {name}" for name in _unready(plane, namespace)]
        rolled = [name for name, template in _templates(plane, namespace).items() if before[name] != template]
        if sorted(rolled) != sorted(before):
            faults.append(
                f"{scenario}: a change of the settings rolled only {', '.join(rolled) or 'nothing'}"
            )
        print(f"{scenario}: upgraded, {len(rolled)} of {len(before)} workloads rolled")
    if helm("rollback", "mod", "1", *wait) and _templates(plane, namespace) != before:
        faults.append(f"{scenario}: a rollback does not lead back")
    if helm("uninstall", "mod", *wait):
        left = [name for name in plane.objects(namespace) if not name.startswith((_STAY, "Pod/"))]
        faults += [f"{scenario}: left behind: {name}" for name in left]
        print(f"{scenario}: rolled back and uninstalled, {len(left)} objects left")
    return faults


def _workloads(plane: ControlPlane, namespace: str) -> list[dict[str, Any]]:
    return [
        each
        for kind in ("deployments", "statefulsets")
        for each in plane.ask("GET", f"/apis/apps/v1/namespaces/{namespace}/{kind}")["items"]
    ]


def _unready(plane: ControlPlane, namespace: str) -> list[str]:
    return [
        each["metadata"]["name"]
        for each in _workloads(plane, namespace)
        if each["status"].get("readyReplicas", 0) < each["spec"]["replicas"]
    ]


def _templates(plane: ControlPlane, namespace: str) -> dict[str, Any]:
    return {each["metadata"]["name"]: each["spec"]["template"] for each in _workloads(plane, namespace)}


if __name__ == "__main__":
    try:
        sys.exit(main())
    except urllib.error.HTTPError as error:
        sys.exit(f"{error.url}: {error.code}: {error.read().decode()[:1500]}")

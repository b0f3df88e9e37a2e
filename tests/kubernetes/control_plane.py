"""A control plane on loopback: etcd, API server, controllers, scheduler, and kwok in place of nodes and kubelets."""

import json
import shutil
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.ports import free_ports

_TOKEN = "token-of-a-test"
_STAGES = ("kustomize/stage/node/fast", "kustomize/stage/pod/fast")
_PATIENCE = 60.0  # seconds


class ControlPlane:
    """Runs the programs of `programs`; what they write goes to `folder`."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._running: list[subprocess.Popen[bytes]] = []
        self._etcd, self._peers, self._api, *self._others = free_ports(6)
        self.address = f"https://127.0.0.1:{self._api}"
        self.kubeconfig = folder / "kubeconfig"
        # Its certificate is its own.
        self._trust = ssl.create_default_context()
        self._trust.check_hostname = False
        self._trust.verify_mode = ssl.CERT_NONE

    def start(self) -> None:
        """Raises TimeoutError when it does not become ready."""
        folder = self._folder
        key = str(folder / "sa.key")
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        public = ["openssl", "rsa", "-in", key, "-pubout", "-out", str(folder / "sa.pub")]
        subprocess.run(public, check=True, capture_output=True)
        (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
        self.kubeconfig.write_text(json.dumps(self._config()))
        client, peers = f"http://127.0.0.1:{self._etcd}", f"http://127.0.0.1:{self._peers}"
        self._run(
            "etcd",
            f"--data-dir={folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
        )
        self._run(
            "kube-apiserver",
            f"--etcd-servers={client}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._api}",
            f"--cert-dir={folder / 'certs'}",
            "--service-cluster-ip-range=10.96.0.0/16",
            f"--service-account-key-file={folder / 'sa.pub'}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={folder / 'tokens.csv'}",
            "--authorization-mode=RBAC",
        )
        self._wait()
        controllers, scheduler, kwok = self._others
        self._run(
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            "--bind-address=127.0.0.1",
            f"--secure-port={controllers}",
            f"--cert-dir={folder / 'controllers'}",
            "--leader-elect=false",
            f"--service-account-private-key-file={key}",
        )
        self._run(
            "kube-scheduler",
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            "--authentication-tolerate-lookup-failure",
            "--bind-address=127.0.0.1",
            f"--secure-port={scheduler}",
            f"--cert-dir={folder / 'scheduler'}",
            "--leader-elect=false",
        )
        node = {
            "metadata": {"name": "node-0", "labels": {"kubernetes.io/hostname": "node-0", "pool": "streams"}}
        }
        self.ask("POST", "/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", **node})
        stages = folder / "stages.yaml"
        stages.write_text("\n---\n".join(path.read_text() for path in _stages()))
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            "--manage-all-nodes=true",
            f"--server-address=127.0.0.1:{kwok}",
            f"--config={stages}",
        )

    def stop(self) -> None:
        """Ends all of them."""
        for process in reversed(self._running):
            process.terminate()
        for process in self._running:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the API server. Raises urllib.error.HTTPError."""
        request = urllib.request.Request(
            self.address + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30, context=self._trust) as answer:
            return json.loads(answer.read() or b"null") if "json" in answer.headers["Content-Type"] else None

    def objects(self, namespace: str) -> Iterator[str]:
        """Everything that is in a namespace, as `Kind/name`, but for what every namespace has and what passes."""
        for group in ["/api/v1", *self._groups()]:
            for resource in self.ask("GET", group)["resources"]:
                if not resource["namespaced"] or "list" not in resource["verbs"]:
                    continue
                found = self.ask("GET", f"{group}/namespaces/{namespace}/{resource['name']}")
                for each in found["items"]:
                    name = f"{resource['kind']}/{each['metadata']['name']}"
                    if resource["kind"] != "Event" and name not in _EVERYWHERE:
                        yield name

    def _groups(self) -> Iterator[str]:
        for group in self.ask("GET", "/apis")["groups"]:
            yield f"/apis/{group['preferredVersion']['groupVersion']}"

    def _run(self, program: str, *arguments: str) -> None:
        log = (self._folder / f"{program}.log").open("wb")
        command = [str(self._programs / program), *arguments]
        self._running.append(subprocess.Popen(command, stdout=log, stderr=log, cwd=self._folder))

    def _wait(self) -> None:
        limit = time.monotonic() + _PATIENCE
        while time.monotonic() < limit:
            try:
                self.ask("GET", "/readyz")
                return
            except OSError:
                time.sleep(0.3)
        raise TimeoutError((self._folder / "kube-apiserver.log").read_text()[-2000:])

    def _config(self) -> dict[str, Any]:
        cluster = {"server": self.address, "insecure-skip-tls-verify": True}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": _TOKEN}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "current-context": "test",
        }


_EVERYWHERE = {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"}


def module(name: str, version: str) -> Path:
    """The folder of a Go module, got when it is not there."""
    if shutil.which("go") is None:
        raise SystemExit("Go is missing: it builds the control plane")
    command = ["go", "mod", "download", "-json", f"{name}@{version}"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return Path(found["Dir"])


def _stages() -> list[Path]:
    kwok = module("sigs.k8s.io/kwok", "v0.8.0")
    return [
        path
        for folder in _STAGES
        for path in sorted((kwok / folder).glob("*.yaml"))
        if path.name != "kustomization.yaml"
    ]

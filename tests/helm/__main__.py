"""`make chart-test`: lints the chart, runs its unit tests, and renders every scenario into tests/helm/rendered.

helm and its unit test plugin are those of PATH, else built by Go into a cache outside the tree (about three minutes,
once). `make test` then holds what was rendered against the API server's schemas, without helm."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.helm.chart import CHART, KUBERNETES, RENDERED, SCENARIOS, digest

_HELM = "helm.sh/helm/v3/cmd/helm@v3.22.0"
_UNITTEST = "github.com/helm-unittest/helm-unittest"
_UNITTEST_MODULE = f"""module local/unittest

go 1.26.0

replace github.com/vmware-labs/yaml-jsonpath v0.3.2 => github.com/helm-unittest/yaml-jsonpath v0.4.0

require {_UNITTEST} v1.1.2
"""


def tool(name: str) -> str:
    """The path of `helm` or `helm-unittest`, built when it is not there yet."""
    if found := shutil.which(name):
        return found
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moderato" / "helm"
    if not (cache / name).exists():
        if shutil.which("go") is None:
            raise SystemExit(f"there is no {name} in PATH, and no Go to build it with")
        print(f"building {name} into {cache} …", flush=True)
        cache.mkdir(parents=True, exist_ok=True)
        if name == "helm":
            subprocess.run(["go", "install", _HELM], check=True, env=os.environ | {"GOBIN": str(cache)})
        else:
            with tempfile.TemporaryDirectory() as folder:
                # It wants a fork of one of its modules, which `go install` does not follow.
                Path(folder, "go.mod").write_text(_UNITTEST_MODULE)
                Path(folder, "tools.go").write_text(
                    f'//go:build tools\n\npackage tools\n\nimport _ "{_UNITTEST}/cmd/helm-unittest"\n'
                )
                subprocess.run(["go", "mod", "tidy"], check=True, cwd=folder)
                command = ["go", "build", "-o", str(cache / name), f"{_UNITTEST}/cmd/helm-unittest"]
                subprocess.run(command, check=True, cwd=folder)
    return str(cache / name)


def main() -> int:
    helm = tool("helm")
    for scenario in SCENARIOS:
        values = str(CHART / "ci" / f"{scenario}-values.yaml")
        subprocess.run([helm, "lint", "--strict", str(CHART), "--values", values, "--quiet"], check=True)
        command = [helm, "template", "mod", str(CHART), "--namespace", "live", "--values", values]
        command += ["--kube-version", f"{KUBERNETES}.0"]
        text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        RENDERED.mkdir(exist_ok=True)
        path = RENDERED / f"{scenario}.yaml"
        path.write_text(f"# Rendered by `make chart-test` from a chart with the digest {digest()}.\n{text}")
        print(f"rendered {path.name}")
    return subprocess.run([tool("helm-unittest"), "--strict", str(CHART)], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

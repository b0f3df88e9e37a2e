"""Prometheus and promtool: those of PATH, else out of Debian's package, unpacked into a cache outside the tree."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

_DEADLINE = 100.0  # seconds to fetch 19 MB
_INSTALL = "install Prometheus (Debian and Ubuntu: apt-get install --no-install-recommends prometheus)"


class Missing(Exception):
    """Prometheus is not installed and could not be fetched. The message says how to get it."""


def find(program: str) -> str:
    """The path of `prometheus` or `promtool`. Raises Missing."""
    return shutil.which(program) or str(_unpacked() / "usr/bin" / program)


def _unpacked() -> Path:
    place = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "moderato" / "prometheus"
    if place.is_dir():
        return place
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Missing(f"there is no promtool in PATH; {_INSTALL}")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Made beside its place and moved there whole: another process may do the same at this moment.
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        _run(["apt-get", "download", "-qq", "prometheus"], Path(folder))
        (package,) = Path(folder).glob("prometheus_*.deb")
        made = Path(folder) / "unpacked"
        _run(["dpkg-deb", "-x", str(package), str(made)], Path(folder))
        try:
            made.rename(place)
        except OSError:
            if not place.is_dir():
                raise
    return place


def _run(command: list[str], folder: Path) -> None:
    try:
        ended = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, check=False, timeout=_DEADLINE
        )
    except subprocess.TimeoutExpired as error:
        raise Missing(f"`{' '.join(command)}` took over {_DEADLINE:.0f} s; {_INSTALL}") from error
    if ended.returncode:
        raise Missing(f"`{' '.join(command)}` failed: {ended.stderr.strip()[-300:]}; {_INSTALL}")

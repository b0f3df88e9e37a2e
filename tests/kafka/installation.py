"""Apache Kafka from Maven Central, in a cache outside the tree: `$XDG_CACHE_HOME/moderato/kafka-<version>`.

jars/                  what a broker runs on, copied by Maven as pom.xml says
bootstrap.checkpoint   what Kafka's own format step writes into an empty data folder; it costs a JVM, so it is kept
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
FAST = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")
"""JVM options with which a broker answers within two seconds of its start."""
CLUSTER_ID = "4L6g3nShT-eMCtK--X86sw"

_JAVA = 17  # Kafka 4 runs on this and later
_INSTALL = "On Debian and Ubuntu: apt-get install --no-install-recommends openjdk-17-jre-headless maven"
_MAVEN_DEADLINE = 100.0  # seconds for 45 MB; below the deadline that a test has


class Missing(Exception):
    """Java or Maven is not installed. The message says how to get it."""


class Broken(Exception):
    """Kafka could not be fetched, formatted or started. The message has what it said."""


def version() -> str:
    """The version of Kafka that pom.xml names."""
    found = re.search(r"<kafka\.version>(.*?)</kafka\.version>", POM.read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def cache() -> Path:
    """The folder that everything fetched and made once is kept in."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "moderato" / f"kafka-{version()}"


def java() -> str:
    """The `java` of JAVA_HOME, else of PATH. Raises Missing when there is none, or an old one."""
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        where = f"JAVA_HOME ({home})" if home else "PATH"
        raise Missing(
            f"Apache Kafka needs Java {_JAVA} or later, and there is no `java` in {where}. {_INSTALL}"
        )
    said = subprocess.run([found, "-version"], capture_output=True, text=True, check=False).stderr
    number = re.search(r'version "(\d+)', said)
    if number is None or int(number[1]) < _JAVA:
        raise Missing(f"Apache Kafka needs Java {_JAVA} or later; {found} says: {said.strip()}. {_INSTALL}")
    return found


def jars() -> Path:
    """The folder of the jars, fetched when it is not there yet. Raises Missing or Broken."""
    folder = cache() / "jars"
    if not folder.is_dir():
        _made(folder, _fetch)
    return folder


def checkpoint() -> Path:
    """`bootstrap.checkpoint`, made when it is not there yet. Raises Missing or Broken."""
    file = cache() / "bootstrap.checkpoint"
    if not file.is_file():
        _made(file, _format)
    return file


def _made(place: Path, make: Callable[[Path], Path]) -> None:
    """Makes it beside its place and moves it there whole: another process may do the same at this moment."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:
        made = make(Path(folder))
        try:
            made.rename(place)
        except OSError:
            if not place.exists():
                raise


def _fetch(folder: Path) -> Path:
    maven = shutil.which("mvn")
    if maven is None:
        raise Missing(f"Apache Kafka's jars come through Maven, and there is no `mvn` in PATH. {_INSTALL}")
    java()
    target = folder / "jars"
    options = [f"-DoutputDirectory={target}", "-DincludeScope=runtime"]
    command = [maven, "-B", "-q", "-f", str(POM), "dependency:copy-dependencies", *options]
    _run(command, "fetch Apache Kafka's jars")
    return target


def _format(folder: Path) -> Path:
    properties = folder / "server.properties"
    properties.write_text(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:9093\n"
        "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\ncontroller.listener.names=CONTROLLER\n"
        f"log.dirs={folder / 'data'}\n"
    )
    tool = [java(), *FAST, "-cp", f"{jars()}/*", "kafka.tools.StorageTool", "format"]
    _run([*tool, "-t", CLUSTER_ID, "-c", str(properties)], "format Kafka's storage")
    return folder / "data" / "bootstrap.checkpoint"


def _run(command: Sequence[str], what: str) -> None:
    try:
        ended = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=_MAVEN_DEADLINE,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise Broken(f"could not {what} within {_MAVEN_DEADLINE:.0f} s") from error
    if ended.returncode:
        raise Broken(f"could not {what}:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.deploy.installation import Missing, find


@pytest.fixture(scope="session")
def promtool() -> Callable[..., str]:
    """Runs promtool and returns what it says; a failure of it is a failure of the test. Without Prometheus the test is
    skipped, and in CI it fails."""
    try:
        program = find("promtool")
    except Missing as reason:
        if os.environ.get("CI") == "true":
            pytest.fail(str(reason))
        pytest.skip(str(reason))

    def run(*arguments: str, stdin: str = "") -> str:
        ended = subprocess.run(
            [program, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=300
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout + ended.stderr

    return run

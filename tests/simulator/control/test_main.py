"""`moderato simulate --control` from the outside."""

import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from moderato.errors import Fatal
from simulator.control.main import load_accounts


def test_it_serves_until_it_is_stopped() -> None:
    command = [sys.executable, "-m", "moderato", "simulate", "--control", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            lines = [process.stdout.readline().strip() for _ in range(6)]
            address = lines[-1].removeprefix("book: ")
            with urllib.request.urlopen(address, timeout=60) as answer:
                assert json.load(answer)["tasks"] == []
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert "tasks: none" in process.stdout.read()
    assert [line.partition(":")[0] for line in lines] == [
        "agora",
        "shumei",
        "iflytek",
        "yidun",
        "yunxin",
        "book",
    ]


def test_accounts_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text("agora_app_id: mine\nncs_url: http://127.0.0.1:8080/x\n")
    accounts = load_accounts(path)
    assert (accounts.agora_app_id, accounts.ncs_url) == ("mine", "http://127.0.0.1:8080/x")
    assert accounts.yidun_secret_id == "simulated-secret-id"


def test_all_faults_of_a_file_at_once_and_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "accounts.yaml"
    path.write_text("agora_ap_id: x\nshumei_access_key: [hush]\n")
    with pytest.raises(Fatal) as raised:
        load_accounts(path)
    assert "agora_ap_id: unknown" in str(raised.value)
    assert "shumei_access_key" in str(raised.value)
    assert "hush" not in str(raised.value)

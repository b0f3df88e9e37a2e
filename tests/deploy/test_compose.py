"""The compose file's own settings load, and every role is in it."""

from pathlib import Path

import yaml

from moderato.cli import roles
from moderato.settings import load
from simulator.control.accounts import Accounts

DEPLOY = Path(__file__).parents[2] / "deploy"


def test_its_settings_are_without_fault() -> None:
    settings = load(DEPLOY / "compose/moderato.yaml")
    assert roles.faults(roles.NAMES, settings) == []
    credentials, accounts = settings.tenants["default"].credentials, Accounts()
    assert credentials.agora
    assert credentials.agora.app_id == accounts.agora_app_id
    assert credentials.shumei
    assert credentials.shumei.access_key.get_secret_value() == accounts.shumei_access_key
    assert credentials.iflytek
    assert credentials.iflytek.access_key_secret.get_secret_value() == accounts.iflytek_access_key_secret
    assert credentials.yidun
    assert credentials.yidun.business_id == accounts.yidun_business_id


def test_every_role_runs_and_is_scraped() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    run = {each["command"][1] for each in services.values() if each.get("command", [""])[0] == "run"}
    assert run == set(roles.NAMES)
    [job] = yaml.safe_load((DEPLOY / "compose/prometheus.yaml").read_text())["scrape_configs"]
    assert {target.partition(":")[0] for target in job["static_configs"][0]["targets"]} == run

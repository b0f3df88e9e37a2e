"""Who may call the simulated vendors, with what secrets, and how much is allowed."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Accounts:
    """The credentials that the simulated vendors know; the defaults are no secret. `ncs_url`: where Agora's
    notification service reports to, None for nowhere."""

    agora_app_id: str = "simulatedappid"
    agora_customer_id: str = "simulated-customer"
    agora_customer_secret: str = field(default="simulated-customer-secret", repr=False)
    aliyun_uid: str = "1234567890123456"
    ncs_url: str | None = None
    ncs_secret: str = field(default="simulated-ncs-secret", repr=False)
    shumei_access_key: str = field(default="simulatedAccessKey", repr=False)
    shumei_secret_key: str = field(default="simulatedSecret1", repr=False)
    iflytek_app_id: str = "simulated-app"
    iflytek_access_key_id: str = "simulated-key-id"
    iflytek_access_key_secret: str = field(default="simulated-key-secret", repr=False)
    yidun_secret_id: str = "simulated-secret-id"  # noqa: S105
    yidun_business_id: str = "simulated-business-id"
    yidun_secret_key: str = field(default="simulated-secret-key", repr=False)
    yunxin_app_key: str = "simulated-app-key"
    yunxin_app_secret: str = field(default="simulated-app-secret", repr=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """Calls a second where the vendor publishes no figure, and how many Yidun tasks may run at once."""

    shumei_qps: int = 100
    yidun_running: int = 10_000

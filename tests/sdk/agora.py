"""Agora's own client for cloud recording, against the address and account of the command line. Its library is not ours:
run it in the environment that `make sdk` makes. Prints what the library read out of the answers, as JSON."""

import json
import sys
from typing import Any

from agora_rest_client.core.domain import Domain, EndpointRegion
from agora_rest_client.services.cloud_recording.v1.mix_recording.mix_recording_client import (
    MixRecordingClient,
)


class Client(MixRecordingClient):
    """The library knows https and Agora's hosts only."""

    def get_api_url(self, host: str, url: str, service_region: Any = None) -> str:
        return f"{sys.argv[1]}{url}"


class NoDomain(Domain):
    """The library looks its hosts up without end before its first call."""

    def run(self, logger: Any) -> None:
        """Looks nothing up."""

    def get_domain_list(self) -> list[str]:
        return ["unused"]


def main() -> None:
    _, _, app_id, customer, secret = sys.argv
    client = Client().with_app_id(app_id).with_credential_basic_auth(customer, secret)
    client = client.with_domain(NoDomain(EndpointRegion.CN.value)).build()
    acquired = client.acquire("httpClient463224", "527841", resource_expired_hour=24)
    print(json.dumps({"resource_id": acquired.resourceId}), flush=True)


if __name__ == "__main__":
    main()

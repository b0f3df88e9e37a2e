import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from sinks.enforce.addresses import AddressRefused, PublicOnly, is_public, require_public


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "93.184.216.34",
        "2606:4700:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "2002:808:808::1",
    ],
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::7f00:1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2001:0:1::1",
        "2001:db8::1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "4000::1",
    ],
)
def test_addresses_of_the_inside_are_not_whatever_they_are_wrapped_in(address: str) -> None:
    assert not is_public(address)
    with pytest.raises(AddressRefused, match="not a public address"):
        require_public(address)


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", ""])
def test_names_are_left_to_the_resolver(host: str) -> None:
    require_public(host)


class Answers(AbstractResolver):
    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.closed = False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in self.addresses
        ]

    async def close(self) -> None:
        self.closed = True


async def test_a_name_with_public_addresses_resolves_to_them() -> None:
    found = await PublicOnly(Answers("8.8.8.8", "2606:4700::1")).resolve("example.com", 443)
    assert [result["host"] for result in found] == ["8.8.8.8", "2606:4700::1"]


@pytest.mark.parametrize("addresses", [("127.0.0.1",), ("8.8.8.8", "10.0.0.1"), ("fe80::1%2",)])
async def test_a_name_with_any_private_address_is_refused_without_telling_which(
    addresses: tuple[str, ...],
) -> None:
    with pytest.raises(AddressRefused) as caught:
        await PublicOnly(Answers(*addresses)).resolve("inside.example.com", 443)
    assert "inside.example.com" in str(caught.value)
    assert not any(address in str(caught.value) for address in addresses)


async def test_closing_closes_the_resolver_behind() -> None:
    inner = Answers()
    await PublicOnly(inner).close()
    assert inner.closed

"""Which addresses a tenant's URL may lead to: public ones. The address that is checked is the one that is connected to.

A URL comes from a customer, and the enforcer stands inside the network: without this check a webhook could be aimed at
a metadata service or a neighbour (server-side request forgery), also by a name whose address changes between the check
and the connection (DNS rebinding).
"""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from aiohttp.abc import AbstractResolver, ResolveResult

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")


class AddressRefused(Exception):
    """No OSError on purpose: an HTTP client would take that for a network fault and hide it in another."""


def is_public(address: str) -> bool:
    """Whether an IP address is one of the public Internet; an IPv4 address inside an IPv6 one is what counts."""
    ip = ip_address(address)
    if isinstance(ip, IPv6Address):
        inner = _inner(ip)
        if inner is None:
            return ip in _GLOBAL_UNICAST and ip.is_global
        ip = inner
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _inner(ip: IPv6Address) -> IPv4Address | None:
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour


def require_public(host: str) -> None:
    """Raises AddressRefused when `host` is an IP address and not a public one; a name is left to the resolver."""
    try:
        public = is_public(host)
    except ValueError:
        return
    if not public:
        raise AddressRefused(f"{host} is not a public address (webhook.allow_private would allow it)")


class PublicOnly(AbstractResolver):
    """A resolver that gives public addresses, or raises AddressRefused when any address of a name is not one."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(result["host"]) for result in found):
            # Which address it is would tell a customer about the network inside.
            raise AddressRefused(
                f"{host} leads to an address that is not public (webhook.allow_private would allow it)"
            )
        return found

    async def close(self) -> None:
        await self._resolver.close()

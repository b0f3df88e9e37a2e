"""Which addresses are on this machine."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Whether an address leads to this machine's own loopback; False for what is no address."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    try:
        return ip_address(host or "").is_loopback
    except ValueError:
        return host == "localhost"

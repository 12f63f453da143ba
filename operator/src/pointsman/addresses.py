"""Hosts as URLs have them, and where something is served. Pure."""

from dataclasses import dataclass


def in_url(host: str) -> str:
    """An IPv6 address in brackets; names and IPv4 addresses as they are."""
    return f"[{host}]" if ":" in host else host


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """A host, as an address or a name, and a port."""

    host: str
    port: int

    def url(self, path: str) -> str:
        """A path that is served there."""
        return f"http://{in_url(self.host)}:{self.port}{path}"

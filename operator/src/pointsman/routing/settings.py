"""How one gateway process is set up: addresses and limits, apart from what it serves."""

from dataclasses import dataclass

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Addresses and limits of one gateway.

    `tombstone_port` is a loopback port of Envoy's own that answers for targets without a ready replica.
    `max_request_bytes` caps a request's body (413 above it). A chat with a few images is some 10 MB.
    `heap_bytes` is where Envoy begins to shed load; it is ended by nothing but itself.
    `processor` is that of the machine, as `uname -m` says it: our filters are native code.
    `trusted_ca_file` holds the certificate authorities that hosted models are checked against.
    """

    listen_address: str = "127.0.0.1"
    listen_port: int = 8080
    tombstone_port: int = 8081
    max_request_bytes: int = 16 * MIB
    max_connections: int = 20_000
    heap_bytes: int = 1024 * MIB
    workers: int = 1
    processor: str = "x86_64"
    trusted_ca_file: str = "/etc/ssl/certs/ca-certificates.crt"

    @property
    def held_request_bytes(self) -> int:
        """What filters may hold of a body: the largest, with a longer model name and an option for usage."""
        return self.max_request_bytes + 4096

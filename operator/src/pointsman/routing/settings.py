"""How one gateway process is set up: addresses and limits, apart from what it serves."""

from dataclasses import dataclass, field

from pointsman.api import FleetSettings

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class HoldSettings:
    """How requests are held for deployments that may be at zero, while no replica of theirs can answer.

    `socket` is where that is done, in Envoy's folder. `word`, another for each gateway, tells its answers
    from those of replicas. The bounds are of one deployment and of all; what is above them is refused.
    `seconds`: nine of ten engines have begun within three minutes where their weights are near.
    Envoy keeps the bodies, in a quarter of its memory at most.
    """

    socket: str = "hold.sock"
    word: str = field(default="word", repr=False)
    seconds: float = 300.0
    requests: int = 256
    requests_in_all: int = 1024
    body_bytes: int = 64 * MIB
    body_bytes_in_all: int = 256 * MIB

    @classmethod
    def of(cls, fleet: FleetSettings) -> "HoldSettings":
        """As the fleet's settings have it."""
        stated = fleet.gateway.hold
        return cls(
            seconds=stated.for_.seconds,
            requests=stated.requests,
            requests_in_all=stated.requests_in_all,
            body_bytes=int(stated.bodies.decimal),
            body_bytes_in_all=int(stated.bodies_in_all.decimal),
        )


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
    hold: HoldSettings = HoldSettings()

    @property
    def held_request_bytes(self) -> int:
        """What filters may hold of a body: the largest, with a longer model name and an option for usage."""
        return self.max_request_bytes + 4096

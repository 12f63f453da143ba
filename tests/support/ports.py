"""Free ports on this machine, each handed out once in a process."""

from __future__ import annotations

from pointsman.local import listening

_handed_out: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port on `host` that nothing listens on, and nothing else of this process will."""
    port = listening.free_port(host)
    while port in _handed_out:
        port = listening.free_port(host)
    _handed_out.add(port)
    return port


def free_ports(count: int, host: str = "127.0.0.1") -> tuple[int, ...]:
    """So many different free ports."""
    return tuple(free_port(host) for _ in range(count))

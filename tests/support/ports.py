"""Free ports on this machine, each handed out once in a process."""

from __future__ import annotations

import socket

_TRIES = 200
_handed_out: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port on `host` that nothing listens on. Raises OSError when none is found."""
    for _ in range(_TRIES):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            port = int(probe.getsockname()[1])
        if port not in _handed_out:
            _handed_out.add(port)
            return port
    raise OSError(f"no free port on {host} after {_TRIES} tries")


def free_ports(count: int, host: str = "127.0.0.1") -> tuple[int, ...]:
    """So many different free ports."""
    return tuple(free_port(host) for _ in range(count))

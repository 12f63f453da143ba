"""Free ports on this machine, each handed out once in a test run."""

from __future__ import annotations

import os

from pointsman.local import listening

_handed_out: set[int] = set()


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port on `host` that nothing listens on, and nothing else of this test run will."""
    port = listening.free_port(host)
    while port in _handed_out or not _is_ours(port):
        port = listening.free_port(host)
    _handed_out.add(port)
    return port


def _is_ours(port: int) -> bool:
    """The processes of a test run share the ports out: each has every second one, where they are two."""
    # Where one has died, the one in its stead has a number beyond their count.
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return port % processes == place % processes


def free_ports(count: int, host: str = "127.0.0.1") -> tuple[int, ...]:
    """So many different free ports."""
    return tuple(free_port(host) for _ in range(count))

"""Addresses to listen on: read from the command line, free or not."""

import errno
import os
import random
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address

from pointsman.addresses import in_url
from pointsman.errors import PointsmanError

_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*):(?P<port>[0-9]{1,5})")
_NEVER_OUTGOING = range(20_000, 32_768)
"""Below the ports that Linux takes for outgoing connections (net.ipv4.ip_local_port_range)."""
_TRIES = 200


@dataclass(frozen=True)
class Listen:
    """An address and a port; `host` is an IP address."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{in_url(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """Where a client on this machine finds it."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{Listen(host, self.port)}/v1"

    @property
    def is_only_here(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return ip_address(self.host).is_loopback


def parse_listen(text: str, option: str = "--listen") -> Listen:
    """`HOST:PORT`, `:PORT` for every address, `[::1]:PORT`. Raises PointsmanError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 0 < int(found["port"]) < 65536:
        raise PointsmanError(
            f"{text!r} is no address", where=option, todo="write HOST:PORT, such as 127.0.0.1:8080"
        )
    host = found["host"].strip("[]") or "0.0.0.0"
    try:
        addresses = socket.getaddrinfo(host, int(found["port"]), type=socket.SOCK_STREAM)
    except OSError as error:
        raise PointsmanError(
            f"{host} has no address ({error})", where=option, todo="write an IP address"
        ) from error
    return Listen(str(addresses[0][4][0]), int(found["port"]))


def refuse_if_taken(listen: Listen) -> None:
    """Raises PointsmanError, one line that names the port, if it cannot be listened on."""
    family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # Connections of a former gateway that linger do not count; a listener does.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((listen.host, listen.port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            what = "is in use" if taken else f"cannot be listened on ({os.strerror(error.errno or 0)})"
            todo = "end what listens there, or choose another address with --listen"
            raise PointsmanError(f"{listen} {what}", todo=todo) from error


def free_port(host: str = "127.0.0.1") -> int:
    """A TCP port of `host` that nobody listens on now. The kernel gives it to no outgoing connection, which
    would take it before it is listened on, or be answered by itself. Raises OSError when there is none.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        for port in random.sample(_NEVER_OUTGOING, _TRIES):
            with suppress(OSError):
                probe.bind((host, port))
                return port
    raise OSError(errno.EADDRINUSE, f"no free port on {host} after {_TRIES} tries")

"""Runs a command in a network namespace of its own: `python -m tests.support.cluster.own_network COMMAND…`.

There, addresses of `PODS` are this machine's, so that pods of a process node (`NodeSettings.pod_network`)
have addresses that EndpointSlices carry too; they refuse those of the loopback network. Nothing outside is
reached, and nothing outside reaches in.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys

PODS = "10.244.0.0/16"

_FIRST, _MASK = "10.244.0.1", "255.255.0.0"
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK = 0x8914, 0x8916, 0x891C  # linux/sockios.h
_IFF_UP = 1


def main() -> None:
    enter()
    os.execvp(sys.argv[1], sys.argv[1:])


def enter() -> None:
    """Put this thread, and what it starts, into a new network. Raises OSError where the kernel refuses."""
    if os.geteuid() == 0:
        _unshare(_CLONE_NEWNET)
    else:
        user, group = os.geteuid(), os.getegid()
        _unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
        for name, text in (
            ("setgroups", "deny"),
            ("uid_map", f"{user} {user} 1"),
            ("gid_map", f"{group} {group} 1"),
        ):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
        # A network on the loopback interface is local as a whole, not only the address that is named.
        fcntl.ioctl(control, _SIOCSIFADDR, _address(b"lo:1", _FIRST))
        fcntl.ioctl(control, _SIOCSIFNETMASK, _address(b"lo:1", _MASK))


def _address(interface: bytes, address: str) -> bytes:
    return struct.pack("16sHH4s8x", interface, socket.AF_INET, 0, socket.inet_aton(address))


def _unshare(flags: int) -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(flags) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"unshare: {os.strerror(number)}")


if __name__ == "__main__":
    main()

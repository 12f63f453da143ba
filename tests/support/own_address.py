"""This machine's own address, which EndpointSlices carry: they refuse those of the loopback network."""

import socket


def own_address() -> str:
    """The IPv4 address that packets leave this machine with; nothing is sent. Raises OSError without one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): nobody has it
        return str(probe.getsockname()[0])

"""Addresses and networks: `ip('10.0.0.1')`, `cidr('10.0.0.0/8')`."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from pointsman.policy.cel.functions.declaring import BOOL, INT, MAP, TEXT, function, member, plain

_IP, _CIDR = "ip", "cidr"
_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network


def _address(text: str) -> _Address:
    """As Kubernetes reads it: no zone, and no IPv4 mapped into IPv6."""
    found = ip_address(text)
    if "%" in text or (isinstance(found, IPv6Address) and found.ipv4_mapped is not None):
        raise ValueError(f"no IP address: {text}")
    return found


def _network(text: str) -> _Network:
    """With its prefix; bits behind it are allowed."""
    if re.search(r"/(0|[1-9][0-9]*)$", text) is None or "%" in text:
        raise ValueError(f"no network: {text}")
    _address(text.partition("/")[0])
    return ip_network(text, strict=False)


def _is(read: Any, text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _of(value: Mapping[str, Any]) -> _Address:
    return _address(str(value[_IP]))


def _within(value: Mapping[str, Any], address: str) -> bool:
    network, asked = _network(str(value[_CIDR])), _address(address)
    return network.version == asked.version and asked in network


def _holds(value: Mapping[str, Any], other: str) -> bool:
    mine, theirs = _network(str(value[_CIDR])), _network(other)
    if isinstance(mine, IPv4Network) and isinstance(theirs, IPv4Network):
        return theirs.subnet_of(mine)
    return isinstance(mine, IPv6Network) and isinstance(theirs, IPv6Network) and theirs.subnet_of(mine)


def _made(text: str) -> dict[str, str]:
    _network(text)
    return {_CIDR: text}


FUNCTIONS = (
    function("ip", plain("string_to_ip", MAP, [TEXT], lambda text: {_IP: str(_address(text))})),
    function("isIP", plain("is_ip", BOOL, [TEXT], lambda text: _is(_address, text))),
    function("family", member("ip_family", INT, [MAP], lambda value: _of(value).version)),
    function("isLoopback", member("ip_is_loopback", BOOL, [MAP], lambda value: _of(value).is_loopback)),
    function(
        "isUnspecified", member("ip_is_unspecified", BOOL, [MAP], lambda value: _of(value).is_unspecified)
    ),
    function("cidr", plain("string_to_cidr", MAP, [TEXT], _made)),
    function("isCIDR", plain("is_cidr", BOOL, [TEXT], lambda text: _is(_network, text))),
    function(
        "containsIP",
        member("cidr_contains_ip_string", BOOL, [MAP, TEXT], _within),
        member("cidr_contains_ip", BOOL, [MAP, MAP], lambda value, other: _within(value, other[_IP])),
    ),
    function(
        "containsCIDR",
        member("cidr_contains_cidr_string", BOOL, [MAP, TEXT], _holds),
        member("cidr_contains_cidr", BOOL, [MAP, MAP], lambda value, other: _holds(value, other[_CIDR])),
    ),
    function(
        "prefixLength",
        member("cidr_prefix_length", INT, [MAP], lambda value: _network(str(value[_CIDR])).prefixlen),
    ),
)

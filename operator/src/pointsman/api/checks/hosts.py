"""Which hosts a hosted model may live on: public ones, and private ones that the platform names."""

import ipaddress
import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from pointsman.api.checks.inventory import Inventory
from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.modeldeployment import ModelDeployment

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Names that resolve inside a machine, a site or a cluster: RFC 6761, 6762, 8375, cloud metadata, Kubernetes.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".internal", ".home.arpa", ".lan", ".svc")
_LOOPBACK_NAME = "localhost"
# inet_aton reads "127.1", "0x7f000001" and "2130706433" as addresses; no public name ends in a number.
_ENDS_IN_NUMBER = re.compile(r"(^|\.)(0[xX][0-9a-fA-F]*|[0-9]+)$", re.ASCII)
_HIGHEST_PORT = 65535


def host_of(url: str) -> str:
    """The host of a URL in lower case, without port, brackets and the final dot."""
    return (urlsplit(url).hostname or "").rstrip(".")


def is_loopback(host: str) -> bool:
    address = _address(host)
    if address is not None:
        return address.is_loopback
    return host == _LOOPBACK_NAME or host.endswith("." + _LOOPBACK_NAME)


def is_private(host: str) -> bool:
    """Whether a host is this machine, a private network, or inside a cluster, as far as its name tells."""
    address = _address(host)
    if address is not None:
        return not address.is_global or address.is_multicast
    return (
        "." not in host
        or host.endswith(_PRIVATE_SUFFIXES)
        or ".svc." in host
        or bool(_ENDS_IN_NUMBER.search(host))
    )


def is_allowed(host: str, allowed: Iterable[str]) -> bool:
    """Whether a list of hosts, `*.suffix` patterns, addresses and networks names this host."""
    address = _address(host)
    for entry in (one.lower() for one in allowed):
        if entry == host or (entry.startswith("*.") and host.endswith(entry[1:])):
            return True
        if address is not None and _contains(entry, address):
            return True
    return False


def unreachable_hosts(deployment: Located[ModelDeployment], inventory: Inventory) -> Iterator[Finding]:
    hosted = deployment.resource.spec.hosted
    if hosted is None:
        return
    path = ("spec", "hosted", "baseURL")
    host = host_of(hosted.base_url)
    if not _has_valid_port(hosted.base_url):
        yield deployment.finding(path, f"a port is from 1 to {_HIGHEST_PORT}", "correct it")
    locally = inventory.mode != "cluster" and is_loopback(host)
    if not is_private(host):
        if hosted.credentials is not None and hosted.base_url.startswith("http://"):
            yield deployment.finding(
                path, "the key would travel unencrypted", "use https", severity="warning"
            )
    elif not locally and not is_allowed(host, inventory.fleet.gateway.allowed_private_hosts):
        what = f"{host} is a private host"
        yield deployment.finding(path, what, "add it to gateway.allowedPrivateHosts of the fleet settings")


def _has_valid_port(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _address(host: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped if mapped is not None else address


def _contains(network: str, address: _Address) -> bool:
    try:
        return address in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False

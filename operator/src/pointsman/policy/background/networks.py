"""What the network lets a deployment's pods reach, as far as the deployment's own NetworkPolicies say."""

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from pointsman.policy.background.looked import HOLDS, NOT_FOR_IT, Judgement, Looked

_DNS = 53

Network = IPv4Network | IPv6Network


def egress_network_policy(looked: Looked) -> Judgement | None:
    """Of deployments with pods: one that holds egress."""
    policies = looked.beside.network_policies
    if policies is None:
        return None
    if not looked.pods:
        return NOT_FOR_IT
    if any(_holds_egress(one) for one in policies):
        return HOLDS
    return Judgement(f"{len(policies)} of its own, none of them for egress" if policies else "none is there")


def egress_networks(looked: Looked) -> Judgement | None:
    """Of deployments whose egress is held: to peers in the cluster, names, and listed networks alone."""
    policies = looked.beside.network_policies
    if policies is None:
        return None
    holding = [one for one in policies if _holds_egress(one)]
    if not looked.pods or not holding:
        return NOT_FOR_IT  # that nothing holds them is another rule's matter
    try:
        listed = [ip_network(one, strict=False) for one in looked.listed("networks")]
    except ValueError as error:
        return Judgement(f"the parameter networks: {error}")
    too_far = sorted({found for one in holding for found in _beyond(one, listed)})
    return Judgement(", ".join(too_far[:5])) if too_far else HOLDS


def _holds_egress(policy: Mapping[str, Any]) -> bool:
    return "Egress" in ((policy.get("spec") or {}).get("policyTypes") or ())


def _beyond(policy: Mapping[str, Any], listed: list[Network]) -> Iterator[str]:
    """What is let through beside peers in the cluster, DNS and the networks that are listed; where none is,
    beside any network that is not all of them.
    """
    for rule in policy["spec"].get("egress") or ():
        peers, ports = rule.get("to") or (), rule.get("ports") or ()
        if not peers and not (ports and all(one.get("port") == _DNS for one in ports)):
            yield "anywhere"
        for peer in peers:
            cidr = (peer.get("ipBlock") or {}).get("cidr")
            if cidr is None:
                continue
            network = ip_network(cidr, strict=False)
            if not _is_within(network, listed) if listed else network.prefixlen == 0:
                yield cidr


def _is_within(network: Network, listed: list[Network]) -> bool:
    return any(
        network.subnet_of(one)
        if isinstance(network, IPv4Network) and isinstance(one, IPv4Network)
        else isinstance(network, IPv6Network) and isinstance(one, IPv6Network) and network.subnet_of(one)
        for one in listed
    )

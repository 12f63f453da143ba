"""What surrounds the pods: how gateways find them, who may talk to them, how many may be disturbed."""

from typing import Any

from pointsman.api import ModelDeployment
from pointsman.workloads import naming
from pointsman.workloads.containers import AGENT, AGENT_PORT
from pointsman.workloads.engine import PORT
from pointsman.workloads.surroundings import Peers, Surroundings

Object = dict[str, Any]

_HTTPS = 443
_DNS = 53


def service(deployment: ModelDeployment) -> Object:
    """Headless: gateways read its EndpointSlices and balance by themselves."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {},
        "spec": {
            "clusterIP": "None",
            "selector": naming.leaders(deployment),
            "ports": [
                {
                    "name": "http",
                    "appProtocol": "http",
                    "protocol": "TCP",
                    "port": PORT,
                    "targetPort": "http",
                },
                {
                    "name": AGENT,
                    "appProtocol": "http",
                    "protocol": "TCP",
                    "port": AGENT_PORT,
                    "targetPort": AGENT,
                },
            ],
        },
    }


def disruption_budget(deployment: ModelDeployment) -> Object:
    """One replica at a time. A worker that is evicted takes its whole group with it, and so counts like a
    leader. One pod alone needs no budget: one that allowed none would keep its node for ever, and one that
    allows it says nothing, while Kubernetes compares each pod that changes with each budget beside it.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {},
        "spec": {
            "maxUnavailable": 1,
            "selector": {"matchLabels": naming.selector(deployment)},
            # A replica that does not serve holds up no one.
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    }


def network_policy(deployment: ModelDeployment, around: Surroundings, *, spans_nodes: bool) -> Object:
    """In: requests from gateways, metrics to those who read them. Out: what downloads need."""
    ingress: list[Object] = [
        {"from": [_peer(peers) for peers in around.gateways], "ports": [_tcp(PORT)]},
        {"from": [_peer(peers) for peers in around.scrapers], "ports": [_tcp(AGENT_PORT)]},
    ]
    egress, note = _egress(around)
    if spans_nodes:
        # Ranks find each other on ports that they choose.
        group = {"podSelector": {"matchLabels": naming.selector(deployment)}}
        ingress.append({"from": [group]})
        egress.append({"to": [group]})
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"annotations": {naming.NOTE: note}},
        "spec": {
            "podSelector": {"matchLabels": naming.selector(deployment)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def pod_monitor(deployment: ModelDeployment) -> Object:
    """Prometheus reads the agents, which have one set of names for all engines."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": {},
        "spec": {
            "selector": {"matchLabels": naming.leaders(deployment)},
            "podMetricsEndpoints": [{"port": AGENT, "path": "/metrics", "interval": "15s"}],
            "podTargetLabels": [naming.DEPLOYMENT, naming.POOL],
        },
    }


def _egress(around: Surroundings) -> tuple[list[Object], str]:
    """The rules, and what they come to in words."""
    names: Object = {"ports": [{"protocol": "UDP", "port": _DNS}, _tcp(_DNS)]}
    rules = [names]
    if around.proxy is not None and around.proxy.cidrs:
        blocks = [{"ipBlock": {"cidr": cidr}} for cidr in around.proxy.cidrs]
        rules.append({"to": blocks, "ports": [_tcp(around.proxy.port)]})
    if around.egress_cidrs:
        rules.append({"to": [{"ipBlock": {"cidr": cidr}} for cidr in around.egress_cidrs]})
    if len(rules) > 1:
        return rules, "Pods reach DNS, and the networks and the proxy of the fleet settings."
    rules.append({"ports": [_tcp(_HTTPS)]})
    return rules, (
        "Pods reach DNS, and TCP 443 anywhere: the fleet settings name neither networks nor a proxy."
    )


def _peer(peers: Peers) -> Object:
    # An absent namespaceSelector would mean the pod's own namespace.
    namespaces = {"matchLabels": dict(peers.namespace_labels)} if peers.namespace_labels else {}
    return {"namespaceSelector": namespaces, "podSelector": {"matchLabels": dict(peers.pod_labels)}}


def _tcp(port: int) -> Object:
    return {"protocol": "TCP", "port": port}

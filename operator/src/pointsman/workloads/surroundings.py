"""What the objects depend on beside the ModelDeployment: our images, the cluster's abilities, its network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.api import NAMESPACE_NAME_LABEL, EgressProxy, FleetSettings


@dataclass(frozen=True)
class Images:
    """`agent` is our own image: the engine agent, and what downloads weights. `pinned` maps references of
    engine images to the same with a digest, as far as they were looked up.
    """

    agent: str
    pinned: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Peers:
    """Pods that may connect: by the labels of their namespace (none: any) and their own labels."""

    pod_labels: Mapping[str, str]
    namespace_labels: Mapping[str, str] = field(default_factory=dict)


def _ours(component: str, namespace: str) -> Peers:
    """Pods of the chart. Whoever may make pods may give one these labels, so that the namespace counts."""
    labels = {"app.kubernetes.io/part-of": "pointsman", "app.kubernetes.io/component": component}
    return Peers(labels, {NAMESPACE_NAME_LABEL: namespace} if namespace else {})


def _gateways(namespace: str) -> tuple[Peers, ...]:
    return (_ours("gateway", namespace),)


def _scrapers(namespace: str) -> tuple[Peers, ...]:
    prometheus = Peers({"app.kubernetes.io/name": "prometheus"})
    return _ours("operator", namespace), _ours("autoscaler", namespace), prometheus


@dataclass(frozen=True)
class Surroundings:
    """The cluster as the objects need to know it.

    The first group is frozen into pods; the second is looked up at each rendering and touches no pod.
    """

    weights_claim: str = ""
    """A PersistentVolumeClaim of the deployment's namespace that pods share their downloads in; "": none."""
    image_volumes: bool = True
    """Whether the API server keeps `volumes[].image` (on by default from Kubernetes 1.35)."""
    leader_worker_sets: bool = True
    """Whether leaderworkerset.x-k8s.io/v1 LeaderWorkerSet exists, which groups of nodes are made of."""
    kubernetes: str = ""
    """The API server's version, as messages say it; "": not known."""
    proxy: EgressProxy | None = None

    gateways: tuple[Peers, ...] = _gateways("")
    """Who may send requests to engines."""
    scrapers: tuple[Peers, ...] = _scrapers("")
    """Who may read the agents' metrics."""
    egress_cidrs: tuple[str, ...] = ()
    """Networks that weights come from; none and no proxy: TCP 443 anywhere."""
    pod_monitors: bool = False
    """Whether monitoring.coreos.com/v1 PodMonitor exists."""
    spare: frozenset[str] = frozenset()
    """Pools that were shown to have room for one more replica: only these may surge during a rollout."""


def surroundings_of(fleet: FleetSettings, namespace: str = "") -> Surroundings:
    """What the platform team says of the cluster; what the API server shows of itself is added elsewhere.
    `namespace` is that of the installation, "" where it is not known.
    """
    egress, weights = fleet.egress, fleet.weights
    return Surroundings(
        weights_claim=weights.cache_claim if weights is not None else "",
        proxy=egress.proxy if egress is not None else None,
        egress_cidrs=egress.cidrs if egress is not None else (),
        gateways=_gateways(namespace),
        scrapers=_scrapers(namespace),
    )


# Pods talk to themselves and to the cluster without a proxy, whatever it is.
_NEVER_BY_PROXY = ("localhost", "127.0.0.1", "::1", ".svc", ".cluster.local")


def proxy_variables(proxy: EgressProxy | None) -> Mapping[str, str]:
    """What tells a program of the proxy."""
    if proxy is None:
        return {}
    return {"HTTPS_PROXY": proxy.url, "NO_PROXY": ",".join((*_NEVER_BY_PROXY, *proxy.no_proxy))}

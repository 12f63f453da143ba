"""The command lines of the control plane's programs: what a real cluster has, but for places and ports."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.cluster.audit import policy

FAKE_NODE = "kwok.x-k8s.io/node"
"""The annotation of a node that KWOK plays."""

# Wide enough for a Service for each of some thousand deployments.
_SERVICE_RANGE = "10.96.0.0/16"
# Ordinary addresses, as EndpointSlices want them; nothing listens there.
_FAKE_POD_RANGE = "10.128.0.0/14"
# Above KWOK's own 4: with that, its players and not the API server are what a thousand pods wait for.
_FAKE_PARALLELISM = 32
_ISSUER = "https://kubernetes.default.svc.cluster.local"


@dataclass(frozen=True)
class Options:
    """What a control plane has besides etcd and the API server. Defaults are those of a real one."""

    controller_manager: bool = True
    scheduler: bool = True
    kwok: bool = False
    """Play the nodes that `fake_nodes` makes, and their pods, at once and without processes."""
    audit: bool = True
    """Write an audit log; it costs the API server a few per cent of its time."""
    audited_users: tuple[str, ...] = ()
    """Whose requests it has; everybody's where none is named."""
    client_requests_per_second: int = 500
    """Of controller manager and scheduler, whose defaults of 20 and 50 are for clusters with more time."""
    node_grace_seconds: int = 50
    """How long a node may be silent before it counts as gone."""
    arguments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """More arguments, by program; they come last, so that they win."""


@dataclass(frozen=True)
class Place:
    """Where one control plane has its files and ports."""

    programs: Path
    folder: Path
    etcd_port: int
    etcd_peer_port: int
    api_port: int

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def etcd(self) -> str:
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def audit_log(self) -> Path:
        return self.folder / "audit.log"

    def kubeconfig(self, user: str) -> str:
        return str(self.folder / f"{user}.kubeconfig")

    def path(self, name: str) -> str:
        return str(self.folder / name)


def etcd_command(place: Place, options: Options) -> list[str]:
    """etcd without waiting for the disk: what it holds need not survive this machine."""
    peer = f"http://127.0.0.1:{place.etcd_peer_port}"
    return [
        str(place.programs / "etcd"),
        f"--data-dir={place.path('etcd')}",
        f"--listen-client-urls={place.etcd}",
        f"--advertise-client-urls={place.etcd}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
        *options.arguments.get("etcd", ()),
    ]


def api_server_command(place: Place, options: Options) -> list[str]:
    """kube-apiserver with Node and RBAC authorisation, watch cache and time-outs as they are by default."""
    return [
        str(place.programs / "kube-apiserver"),
        f"--etcd-servers={place.etcd}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # Its own endpoint would be a loopback address, which Endpoints refuse.
        "--endpoint-reconciler-type=none",
        f"--secure-port={place.api_port}",
        f"--cert-dir={place.path('certificates')}",
        f"--tls-cert-file={place.path('api.pem')}",
        f"--tls-private-key-file={place.path('api.key')}",
        f"--client-ca-file={place.path('ca.pem')}",
        f"--token-auth-file={place.path('tokens.csv')}",
        f"--service-account-issuer={_ISSUER}",
        f"--service-account-key-file={place.path('accounts.pem')}",
        f"--service-account-signing-key-file={place.path('accounts.key')}",
        # Towards nodes, for `kubectl logs`.
        f"--kubelet-certificate-authority={place.path('ca.pem')}",
        f"--kubelet-client-certificate={place.path('kubelet-client.pem')}",
        f"--kubelet-client-key={place.path('kubelet-client.key')}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-cluster-ip-range={_SERVICE_RANGE}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        # Accounts are made by the controller manager; without it no pod could be created.
        *([] if options.controller_manager else ["--disable-admission-plugins=ServiceAccount"]),
        "--allow-privileged=true",
        "--profiling=false",
        *(_audit(place, options.audited_users) if options.audit else ()),
        *options.arguments.get("kube-apiserver", ()),
    ]


def _audit(place: Place, users: Sequence[str]) -> tuple[str, ...]:
    path = place.folder / "audit-policy.yaml"
    path.write_text(json.dumps(policy(users)))
    return (
        f"--audit-policy-file={path}",
        f"--audit-log-path={place.audit_log}",
        "--audit-log-maxsize=4096",
    )


def controller_manager_command(place: Place, options: Options) -> list[str]:
    """kube-controller-manager; each controller asks as its own account, as in a real cluster."""
    rate = options.client_requests_per_second
    return [
        str(place.programs / "kube-controller-manager"),
        f"--kubeconfig={place.kubeconfig('kube-controller-manager')}",
        f"--service-account-private-key-file={place.path('accounts.key')}",
        f"--root-ca-file={place.path('ca.pem')}",
        "--use-service-account-credentials=true",
        "--leader-elect=false",
        "--secure-port=0",
        "--profiling=false",
        f"--kube-api-qps={rate}",
        f"--kube-api-burst={2 * rate}",
        f"--node-monitor-grace-period={options.node_grace_seconds}s",
        *options.arguments.get("kube-controller-manager", ()),
    ]


def scheduler_command(place: Place, options: Options) -> list[str]:
    """kube-scheduler with its default profile."""
    rate = options.client_requests_per_second
    configuration = {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {
            "kubeconfig": place.kubeconfig("kube-scheduler"),
            "qps": rate,
            "burst": 2 * rate,
        },
    }
    path = place.folder / "scheduler.yaml"
    path.write_text(json.dumps(configuration))
    return [
        str(place.programs / "kube-scheduler"),
        f"--config={path}",
        "--secure-port=0",
        *options.arguments.get("kube-scheduler", ()),
    ]


def kwok_command(place: Place, options: Options) -> list[str]:
    """KWOK with the stages of fake_stages.yaml."""
    configuration = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": {
            "podPlayStageParallelism": _FAKE_PARALLELISM,
            "nodePlayStageParallelism": _FAKE_PARALLELISM,
            "nodeLeaseParallelism": _FAKE_PARALLELISM,
        },
    }
    path = place.folder / "kwok.yaml"
    path.write_text(json.dumps(configuration))
    return [
        str(place.programs / "kwok"),
        f"--config={path}",
        f"--config={Path(__file__).with_name('fake_stages.yaml')}",
        f"--kubeconfig={place.kubeconfig('kwok')}",
        f"--manage-nodes-with-annotation-selector={FAKE_NODE}=fake",
        f"--cidr={_FAKE_POD_RANGE}",
        "--node-ip=10.127.0.1",
        "--node-lease-duration-seconds=40",
        *options.arguments.get("kwok", ()),
    ]

"""Options that controllers of a cluster share: who a replica is, what it watches, where it can be asked."""

import os
import socket
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import click

from pointsman.api import FleetSettings, ObjectKey
from pointsman.cli.processes import log_as_json, read_fleet
from pointsman.kube.credentials import find_credentials
from pointsman.kube.gateways import gateways_at
from pointsman.kube.replica import ReplicaSettings
from pointsman.local.listening import parse_listen

Command = Callable[..., None]


def replica_options(lease: str) -> Callable[[Command], Command]:
    """Adds them to a command, which gets what they say as `replica` (ReplicaSettings) and `credentials`, and
    whose log is JSON."""
    options = (
        click.option("--fleet", type=click.Path(path_type=Path, dir_okay=False), help="The fleet settings."),
        click.option("--lease", default=lease, show_default=True, help="The Lease that replicas share."),
        click.option(
            "--gateways",
            default="",
            metavar="NAMESPACE/SERVICE",
            help="The Service behind which gateways are found.",
        ),
        click.option(
            "--gateway-pods",
            default="",
            metavar="NAMESPACE/LABELS",
            help="The same by labels of Pods: a=b,c=d.",
        ),
        click.option(
            "--namespace", "namespaces", multiple=True, help="Watch this namespace only. May be repeated."
        ),
        click.option(
            "--listen", default="127.0.0.1:9090", show_default=True, help="Health and metrics: HOST:PORT."
        ),
        click.option(
            "--kubeconfig", default="", help="Default: KUBECONFIG, the pod's account, ~/.kube/config."
        ),
        click.option("--context", default="", help="The context of the kubeconfig."),
    )

    def add(command: Command) -> Command:
        @wraps(command)
        def told(
            *,
            fleet: Path | None,
            lease: str,
            gateways: str,
            gateway_pods: str,
            namespaces: tuple[str, ...],
            listen: str,
            kubeconfig: str,
            context: str,
            **own: object,
        ) -> None:
            log_as_json(sys.stderr)
            served = parse_listen(listen)
            replica = ReplicaSettings(
                identity=os.environ.get("POD_NAME") or f"{socket.gethostname()}-{os.getpid()}",
                lease=ObjectKey(os.environ.get("POD_NAMESPACE", "default"), lease),
                fleet=read_fleet(fleet) if fleet is not None else FleetSettings(),
                namespaces=namespaces,
                address=served.host,
                port=served.port,
                gateways=gateways_at(gateways, gateway_pods),
            )
            command(replica=replica, credentials=find_credentials(kubeconfig, context), **own)

        decorated: Command = told
        for option in reversed(options):
            decorated = option(decorated)
        return decorated

    return add

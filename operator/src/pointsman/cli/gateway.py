"""`pointsman gateway`: one gateway of a cluster."""

import asyncio
import platform
import sys
from pathlib import Path

import click

from pointsman.api import Duration, FleetSettings
from pointsman.cli.processes import log_as_json, read_fleet
from pointsman.errors import PointsmanError
from pointsman.gateway.cluster.process import ClusterGateway
from pointsman.gateway.cluster.settings import ClusterGatewaySettings, EndpointsFrom
from pointsman.kube.credentials import find_credentials
from pointsman.local.listening import free_port, parse_listen
from pointsman.local.machine import usable_cores
from pointsman.routing import ProxySettings
from pointsman.routing.settings import HoldSettings

_MOST_WORKERS = 4
"""Each has connections of its own to every replica; more requests are served by more gateways."""


@click.command(name="gateway")
@click.option("--fleet", type=click.Path(path_type=Path, dir_okay=False), help="The fleet settings.")
@click.option(
    "--listen", default="127.0.0.1:8080", show_default=True, help="Where clients connect: HOST:PORT."
)
@click.option(
    "--metrics", default="127.0.0.1:9090", show_default=True, help="Probes, metrics, programming: HOST:PORT."
)
@click.option(
    "--state-dir",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder for this gateway alone.",
)
@click.option("--drain", default="30s", show_default=True, help="How long running requests may take to end.")
@click.option("--namespace", "namespaces", multiple=True, help="Serve this namespace only. May be repeated.")
@click.option(
    "--secrets-of", "secrets_of", multiple=True, help="Read Secrets of this namespace. May be repeated."
)
@click.option(
    "--endpoints",
    type=click.Choice([one.value for one in EndpointsFrom]),
    default=EndpointsFrom.SLICES.value,
    show_default=True,
    help="Where replicas are found.",
)
@click.option("--kubeconfig", default="", help="Default: KUBECONFIG, the pod's account, ~/.kube/config.")
@click.option("--context", default="", help="The context of the kubeconfig.")
def command(
    fleet: Path | None,
    listen: str,
    metrics: str,
    state_dir: Path,
    drain: str,
    namespaces: tuple[str, ...],
    secrets_of: tuple[str, ...],
    endpoints: str,
    kubeconfig: str,
    context: str,
) -> None:
    """Serve the routes of a cluster: what the chart runs. It needs no operator to serve."""
    log_as_json(sys.stderr)
    served, said = parse_listen(listen), parse_listen(metrics, option="--metrics")
    stated = read_fleet(fleet) if fleet is not None else FleetSettings()
    settings = ClusterGatewaySettings(
        proxy=ProxySettings(
            listen_address=served.host,
            listen_port=served.port,
            tombstone_port=free_port(),
            workers=min(usable_cores(), _MOST_WORKERS),
            processor=platform.machine(),
            hold=HoldSettings.of(stated),
        ),
        folder=state_dir.absolute(),
        metrics_address=said.host,
        metrics_port=said.port,
        drain_seconds=_seconds(drain),
        fleet=stated,
        namespaces=namespaces,
        secret_namespaces=secrets_of,
        endpoints_from=EndpointsFrom(endpoints),
    )
    asyncio.run(_run(settings, kubeconfig, context))


async def _run(settings: ClusterGatewaySettings, kubeconfig: str, context: str) -> None:
    await ClusterGateway(find_credentials(kubeconfig, context), settings).run()


def _seconds(text: str) -> float:
    try:
        return Duration(text).seconds
    except ValueError as error:
        raise PointsmanError(
            f"{text!r} is no duration", where="--drain", todo="write one, such as 30s"
        ) from error

"""`pointsman operator`: one replica of the operator of a cluster."""

import asyncio

import click

from pointsman.cli.replica import replica_options
from pointsman.controller.process import Operator
from pointsman.controller.settings import OperatorSettings
from pointsman.kube.credentials import Credentials
from pointsman.kube.replica import ReplicaSettings
from pointsman.workloads import Images


@click.command(name="operator")
@click.option("--agent-image", required=True, help="This program's own image: agents of engines run it.")
@click.option("--gateway-url", default="", help="Where clients find the gateways: routes' statuses show it.")
@click.option(
    "--hub",
    default="https://huggingface.co",
    envvar="HF_ENDPOINT",
    show_default=True,
    help="Where branches and tags of hf:// sources are looked up, or HF_ENDPOINT.",
)
@replica_options(lease="pointsman-operator")
def command(
    replica: ReplicaSettings, credentials: Credentials, agent_image: str, gateway_url: str, hub: str
) -> None:
    """Bring ModelDeployments about in a cluster: what the chart runs."""
    settings = OperatorSettings(
        **vars(replica), images=Images(agent=agent_image), hub_url=hub, gateway_url=gateway_url
    )
    asyncio.run(Operator(credentials, settings).run(asyncio.Event()))

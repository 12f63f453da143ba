"""`pointsman autoscaler`: one replica of the autoscaler of a cluster."""

import asyncio

import click

from pointsman.cli.replica import replica_options
from pointsman.kube.credentials import Credentials
from pointsman.kube.replica import ReplicaSettings
from pointsman_autoscaler.loop.process import Autoscaler
from pointsman_autoscaler.loop.settings import AutoscalerSettings


@click.command(name="autoscaler")
@replica_options(lease="pointsman-autoscaler")
def command(replica: ReplicaSettings, credentials: Credentials) -> None:
    """Scale the ModelDeployments of a cluster whose spec.scaling says so: what the chart runs."""
    asyncio.run(Autoscaler(credentials, AutoscalerSettings(**vars(replica))).run())

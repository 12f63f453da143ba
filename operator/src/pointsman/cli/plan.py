"""`pointsman plan PATH…`: the Kubernetes objects that the operator would apply, decided by its own code."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import click

from pointsman import __version__
from pointsman.api import FleetSettings, ModelDeployment
from pointsman.api.examination import examine
from pointsman.catalog import shipped_catalog
from pointsman.cli.reading import read_texts
from pointsman.controller.modeldeployment.decide import decide
from pointsman.controller.modeldeployment.snapshot import Platform, Snapshot
from pointsman.controller.plan import Plan
from pointsman.placement import Inventory
from pointsman.workloads import Images, surroundings_of
from pointsman.yaml_text import dumped

_FOUND_ERRORS = 1

_EXAMPLES = """\b
Examples:
  pointsman plan deploy/                      what a first apply makes, fleet.yaml beside it or below
  pointsman plan deploy/ | kubectl diff -f -  against what a cluster has
"""


@click.command(name="plan", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="PATH...")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), default="yaml", show_default=True)
@click.option(
    "--agent-image",
    default=f"ghcr.io/pointsman/pointsman:{__version__}",
    show_default=True,
    help="The image of the installation: agents of engines run it.",
)
@click.option(
    "--system-namespace",
    default="pointsman-system",
    show_default=True,
    help="The namespace of the installation: models let in its gateways alone.",
)
def command(paths: tuple[str, ...], output: str, agent_image: str, system_namespace: str) -> int:
    """Print the Kubernetes objects that would be applied, without a cluster.

    The fleet settings come from a file named fleet.yaml among the paths; without it nothing is known of
    nodes, and prices are the catalogue's. The same files give the same bytes. What differs in a cluster: the
    owner of each object, what its nodes make of the placement, PodMonitors where there is that kind, and the
    commit that the hub names for a branch or a tag.

    Exits with 1 if a file has an error or a model fits nowhere; then nothing is printed.
    """
    examination = examine(read_texts(paths), "cluster")
    for finding in examination.findings:
        click.echo(finding.text(), err=True)
    resources = [located.resource for located in examination.objects]
    fleet = next((one for one in resources if isinstance(one, FleetSettings)), FleetSettings())
    around = surroundings_of(fleet, system_namespace)
    platform = Platform(fleet, shipped_catalog(), Inventory(), Images(agent_image), around)
    deployments = sorted((r for r in resources if isinstance(r, ModelDeployment)), key=lambda one: one.key)
    plans = [(one, decide(Snapshot(one, platform, now=""))) for one in deployments]
    refused = {str(one.key): why for one, plan in plans if (why := _refusal(one, plan))}
    for name, why in refused.items():
        click.echo(f"ModelDeployment {name}: {why}", err=True)
    if examination.has_errors or refused:
        return _FOUND_ERRORS
    objects = [dict(obj) for _, plan in plans for obj in plan.apply]
    click.echo(_written(objects, output), nl=False)
    return 0


def _refusal(deployment: ModelDeployment, plan: Plan) -> str:
    """Why nothing would be made of it; "" where something would, or where nothing is to be."""
    if deployment.spec.hosted is not None or plan.apply:
        return ""
    said = {condition["type"]: str(condition.get("message", "")) for condition in _conditions(plan)}
    return said.get("Ready", "")


def _conditions(plan: Plan) -> Iterator[Mapping[str, Any]]:
    status = (plan.status or {}).get("status", {})
    yield from status.get("conditions", ())


def _written(objects: list[dict[str, Any]], output: str) -> str:
    if output == "json":
        return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}, indent=2) + "\n"
    return dumped(objects)

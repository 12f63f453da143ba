"""`pointsman explain KIND/NAME`: why an object is as it is, here or in a cluster."""

import json
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.api.resource import Resource
from pointsman.cli.get import at, selected
from pointsman.cli.place import Place, open_place, place_options
from pointsman.errors import PointsmanError
from pointsman.local.display.explanation import explain_deployment, explain_route
from pointsman.local.display.explanation_text import in_words
from pointsman.local.display.kinds import singular
from pointsman.local.display.listing import one

R = TypeVar("R", bound=Resource)


@click.command(
    epilog="Examples: pointsman explain modeldeployment/chat-primary · "
    "pointsman explain pmr/chat --context prod -n chat -o json"
)
@click.argument("what", metavar="KIND/NAME")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to say it.",
)
@place_options
def command(
    what: str,
    output: str,
    namespace: str,
    all_namespaces: bool,
    context: str,
    kubeconfig: str,
    state_dir: Path | None,
) -> None:
    """Say why an object is as it is: placement, engines, endpoints; targets, fallbacks, timeouts.

    KIND is modeldeployment (pmd) or modelroute (pmr). A cluster is asked as by `pointsman get`.
    """
    selection = selected(what, namespace, by_name=True)
    with open_place(state_dir, context, kubeconfig) as place:
        selection = at(place, selection, all_namespaces=all_namespaces)
        kind, document = one(place, selection)
        explained = _explained(place, _read(kind, document, place.repair), what)
        click.echo(
            json.dumps(explained, indent=2, ensure_ascii=False)
            if output == "json"
            else in_words(explained, live=place.is_live).rstrip()
        )


def _explained(place: Place, resource: Resource, what: str) -> dict[str, Any]:
    if isinstance(resource, ModelDeployment):
        place.within(resource.metadata.namespace)
        routes = [_read(ModelRoute, route, place.repair) for route in place.objects("ModelRoute")]
        return explain_deployment(resource, routes, place.engines(resource.key))
    if isinstance(resource, ModelRoute):
        return explain_route(resource)
    raise PointsmanError(
        "guardrail policies cannot be explained yet", where=what, todo="see: pointsman get pgp"
    )


def _read(kind: type[R], document: dict[str, Any], repair: str) -> R:
    """A stored object. Raises PointsmanError if it is none that this version would have written."""
    try:
        return kind.model_validate(document, extra="ignore")
    except ValidationError as error:
        what = "was written by another version of Pointsman, or damaged"
        name = document.get("metadata", {}).get("name", "")
        raise PointsmanError(what, where=f"{singular(kind)}/{name}", todo=repair) from error

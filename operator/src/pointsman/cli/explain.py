"""`pointsman explain KIND/NAME`: why an object is as it is."""

import json
import os
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import ValidationError

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.api.resource import Resource
from pointsman.cli.get import selected, tell_if_not_running
from pointsman.errors import PointsmanError
from pointsman.local.display.explanation import explain_deployment, explain_route
from pointsman.local.display.explanation_text import in_words
from pointsman.local.display.kinds import singular
from pointsman.local.display.listing import one
from pointsman.local.state import StateFolder, default_state_path

R = TypeVar("R", bound=Resource)


@click.command(
    epilog="Examples: pointsman explain modeldeployment/chat-primary · pointsman explain pmr/chat -o json"
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
@click.option("-n", "--namespace", default="", metavar="NS", help="The object's namespace.  [default: any]")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The state folder of `pointsman up`.  [default: ~/.local/state/pointsman/local]",
)
def command(what: str, output: str, namespace: str, state_dir: Path | None) -> None:
    """Say why an object is as it is: placement, engines, endpoints; targets, fallbacks, timeouts.

    KIND is modeldeployment (pmd) or modelroute (pmr).
    """
    state = StateFolder((state_dir or default_state_path(os.environ)).absolute())
    selection = selected(what, namespace, by_name=True)
    tell_if_not_running(state)
    kind, document = one(state, selection)
    resource = _read(kind, document)
    if isinstance(resource, ModelDeployment):
        routes = [_read(ModelRoute, route) for route in state.objects("ModelRoute")]
        explained = explain_deployment(state, resource, routes)
    elif isinstance(resource, ModelRoute):
        explained = explain_route(resource)
    else:
        raise PointsmanError(
            "guardrail policies cannot be explained yet", where=what, todo="see: pointsman get pgp"
        )
    click.echo(
        json.dumps(explained, indent=2, ensure_ascii=False)
        if output == "json"
        else in_words(explained, live=state.holder() is not None).rstrip()
    )


def _read(kind: type[R], document: dict[str, Any]) -> R:
    """A stored object. Raises PointsmanError if it is none that this version would have written."""
    try:
        return kind.model_validate(document, extra="ignore")
    except ValidationError as error:
        what = "was written by another version of Pointsman, or damaged"
        name = document.get("metadata", {}).get("name", "")
        raise PointsmanError(
            what, where=f"{singular(kind)}/{name}", todo="start `pointsman up` again"
        ) from error

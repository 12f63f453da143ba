"""`pointsman explain KIND/NAME`: why an object is as it is."""

import json
import os
from pathlib import Path

import click

from pointsman.api import ModelDeployment, ModelRoute
from pointsman.cli.get import selected, tell_if_not_running
from pointsman.errors import PointsmanError
from pointsman.local.display.explanation import explain_deployment, explain_route
from pointsman.local.display.explanation_text import in_words
from pointsman.local.display.listing import one
from pointsman.local.state import StateFolder, default_state_path


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
    resource = kind.model_validate(document, extra="ignore")
    if isinstance(resource, ModelDeployment):
        routes = [ModelRoute.model_validate(route, extra="ignore") for route in state.objects("ModelRoute")]
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

"""`pointsman get [KIND[/NAME]]`: what runs and how it is."""

import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import click
import yaml

from pointsman.local.display.listing import Selection, as_list, chosen, one, select, tables
from pointsman.local.state import StateFolder, default_state_path

_WATCH_SECONDS = 0.5


@click.command(epilog="Examples: pointsman get · pointsman get pmd/chat-primary -o yaml · pointsman get -w")
@click.argument("what", default="", metavar="[KIND[/NAME]]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "yaml", "json"]),
    default="table",
    show_default=True,
    help="How to show it.",
)
@click.option("-n", "--namespace", default="", metavar="NS", help="Only this namespace.  [default: all]")
@click.option("-w", "--watch", is_flag=True, help="Stay, and print what changes.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The state folder of `pointsman up`.  [default: ~/.local/state/pointsman/local]",
)
def command(what: str, output: str, namespace: str, watch: bool, state_dir: Path | None) -> None:
    """Show what runs and how it is.

    KIND is modeldeployment (pmd), modelroute (pmr) or guardrailpolicy (pgp), in singular or plural; without
    it, everything is shown.
    """
    state = StateFolder((state_dir or default_state_path(os.environ)).absolute())
    selection = select(what, namespace)
    tell_if_not_running(state)
    if selection.name and selection.is_one_kind:
        one(state, selection)
    if watch:
        _watch(state, selection, output)
    else:
        click.echo(_shown(state, selection, output), nl=False)
        _tell_findings(state)


def tell_if_not_running(state: StateFolder) -> None:
    """Say that what is shown is not live, on standard error."""
    if state.holder() is None:
        click.echo(
            f"`pointsman up` does not run on {state.path}; what follows is how it was when it ended", err=True
        )


def _tell_findings(state: StateFolder) -> None:
    findings = state.read_findings()
    if findings:
        noun = "mistake" if len(findings) == 1 else "mistakes"
        click.echo(
            f"\n{len(findings)} {noun} in the files; see: pointsman validate, or the terminal of `up`",
            err=True,
        )


def _shown(state: StateFolder, selection: Selection, output: str) -> str:
    if output in ("table", "wide"):
        live = state.holder() is not None
        found = tables(state, selection, wide=output == "wide", live=live, now=datetime.now(UTC))
        return "\n".join("\n".join(lines) + "\n" for lines in found) if found else "nothing is there\n"
    documents = [document for _, document in chosen(state, selection)]
    shown = documents[0] if selection.name and len(documents) == 1 else as_list(documents)
    if output == "json":
        return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _watch(state: StateFolder, selection: Selection, output: str) -> None:
    """Print everything once, then each line that is new or has changed, until Ctrl-C."""
    former: set[str] = set()
    while True:
        text = _shown(state, selection, output)
        if output in ("yaml", "json"):
            lines = [text.rstrip("\n")]
        else:
            lines = [line for line in text.splitlines() if line]
        # The age of an object is no change of it.
        for line in lines:
            if line.rpartition(" ")[0] not in former:
                click.echo(line)
        former = {line.rpartition(" ")[0] for line in lines}
        time.sleep(_WATCH_SECONDS)

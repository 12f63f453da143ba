"""`pointsman get [KIND[/NAME]]`: what runs and how it is."""

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
import yaml

from pointsman.errors import PointsmanError
from pointsman.local.display.kinds import KINDS
from pointsman.local.display.listing import (
    Selection,
    as_list,
    chosen,
    namespace_of,
    one,
    select,
    tables,
)
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
    selection = selected(what, namespace)
    tell_if_not_running(state)
    if selection.name:
        one(state, selection)
    if watch:
        _watch(state, selection, output)
    text = _shown(state, selection, output)
    if text:
        click.echo(text, nl=False)
    elif _is_used(state):
        click.echo(_nothing(state, selection), err=True)
    _tell_findings(state)


def selected(what: str, namespace: str, *, by_name: bool = False) -> Selection:
    """The objects that a command line names; `by_name`: it must be one. Raises PointsmanError."""
    selection = select(what, namespace)
    if ("/" in what or by_name) and not (selection.is_one_kind and selection.name):
        raise PointsmanError(f'"{what}" names no object', todo="write KIND/NAME, such as modelroute/chat")
    return selection


def tell_if_not_running(state: StateFolder) -> None:
    """Say that what is shown is not live, on standard error."""
    if state.holder() is None:
        left = (
            "; what follows is how it was when it ended" if _is_used(state) else " and has left nothing there"
        )
        click.echo(f"`pointsman up` does not run on {state.path}{left}", err=True)


def _is_used(state: StateFolder) -> bool:
    return any(state.object_paths(kind.__name__) for kind in KINDS) or state.holder() is not None


def _nothing(state: StateFolder, selection: Selection) -> str:
    """Where nothing was found, and where there is something."""
    if not selection.namespace:
        return "nothing is there"
    everywhere = [document for _, document in chosen(state, replace(selection, namespace=""))]
    namespaces = sorted({namespace_of(document) for document in everywhere})
    noun = "namespace" if len(namespaces) == 1 else "namespaces"
    hint = f"; see {noun} {', '.join(namespaces)}" if namespaces else ""
    return f"nothing is in namespace {selection.namespace}{hint}"


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
        return "\n".join("\n".join(lines) + "\n" for lines in found)
    documents = [document for _, document in chosen(state, selection)]
    shown = documents[0] if selection.name and len(documents) == 1 else as_list(documents)
    if output == "json":
        return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _watch(state: StateFolder, selection: Selection, output: str) -> NoReturn:
    """Print everything once, then each line that is new or has changed, until Ctrl-C."""
    former: set[str] = set()
    while True:
        parts = dict(_parts(_shown(state, selection, output), output))
        for compared, printed in parts.items():
            if compared not in former:
                click.echo(printed)
        former = set(parts)
        time.sleep(_WATCH_SECONDS)


def _parts(text: str, output: str) -> Iterator[tuple[str, str]]:
    """What is compared with what was there before, and what is printed if it differs."""
    match output:
        case "json":
            yield text, text.rstrip("\n")
        case "yaml":
            yield text, "---\n" + text.rstrip("\n")
        case _:
            for line in text.splitlines():
                if line:
                    # The last column is the age, which is no change.
                    yield line.rpartition(" ")[0], line

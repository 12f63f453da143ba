"""`pointsman get [KIND[/NAME]]`: what runs and how it is, here or in a cluster."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
import yaml

from pointsman.cli.place import Place, open_place, place_options
from pointsman.errors import PointsmanError
from pointsman.local.display.listing import (
    Selection,
    as_list,
    chosen,
    namespace_of,
    one,
    select,
    tables,
)


@click.command(
    epilog="Examples: pointsman get · pointsman get pmd/chat-primary -o yaml · "
    "pointsman get --context prod -A -w"
)
@click.argument("what", default="", metavar="[KIND[/NAME]]")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "wide", "yaml", "json"]),
    default="table",
    show_default=True,
    help="How to show it.",
)
@click.option("-w", "--watch", is_flag=True, help="Stay, and print what changes.")
@place_options
def command(
    what: str,
    output: str,
    watch: bool,
    namespace: str,
    all_namespaces: bool,
    context: str,
    kubeconfig: str,
    state_dir: Path | None,
) -> None:
    """Show what runs and how it is: on this machine, or in a cluster.

    KIND is modeldeployment (pmd), modelroute (pmr) or guardrailpolicy (pgp), in singular or plural; without
    it, everything is shown. A cluster is asked where --context or --kubeconfig names one, or where no
    `pointsman up` has left anything on this machine and there is a kubeconfig.
    """
    selection = selected(what, namespace)
    with open_place(state_dir, context, kubeconfig) as place:
        selection = at(place, selection, all_namespaces=all_namespaces)
        if selection.name:
            one(place, selection)
        if watch:
            _watch(place, selection, output)
        text = _shown(place, selection, output)
        if text:
            click.echo(text, nl=False)
        elif place.is_used:
            click.echo(_nothing(place, selection), err=True)
        _tell_mistakes(place)


def at(place: Place, selection: Selection, *, all_namespaces: bool = False) -> Selection:
    """The selection in the namespace that is meant there; the place looks at no other."""
    namespace = "" if all_namespaces else selection.namespace or place.namespace
    place.within(namespace)
    return replace(selection, namespace=namespace)


def selected(what: str, namespace: str, *, by_name: bool = False) -> Selection:
    """The objects that a command line names; `by_name`: it must be one. Raises PointsmanError."""
    selection = select(what, namespace)
    if ("/" in what or by_name) and not (selection.is_one_kind and selection.name):
        raise PointsmanError(f'"{what}" names no object', todo="write KIND/NAME, such as modelroute/chat")
    return selection


def _nothing(place: Place, selection: Selection) -> str:
    """Where nothing was found, and where there is something."""
    if not selection.namespace:
        return "nothing is there"
    everywhere = [document for _, document in chosen(place, replace(selection, namespace=""))]
    namespaces = sorted({namespace_of(document) for document in everywhere})
    noun = "namespace" if len(namespaces) == 1 else "namespaces"
    hint = f"; see {noun} {', '.join(namespaces)}" if namespaces else ""
    return f"nothing is in namespace {selection.namespace}{hint}"


def _tell_mistakes(place: Place) -> None:
    count = place.mistakes
    if count:
        noun = "mistake" if count == 1 else "mistakes"
        click.echo(
            f"\n{count} {noun} in the files; see: pointsman validate, or the terminal of `up`",
            err=True,
        )


def _shown(place: Place, selection: Selection, output: str) -> str:
    if output in ("table", "wide"):
        found = tables(place, selection, wide=output == "wide", live=place.is_live, now=datetime.now(UTC))
        return "\n".join("\n".join(lines) + "\n" for lines in found)
    documents = [document for _, document in chosen(place, selection)]
    shown = documents[0] if selection.name and len(documents) == 1 else as_list(documents)
    if output == "json":
        return json.dumps(shown, indent=2, ensure_ascii=False) + "\n"
    return yaml.safe_dump(shown, sort_keys=False, allow_unicode=True)


def _watch(place: Place, selection: Selection, output: str) -> NoReturn:
    """Print everything once, then each line that is new or has changed, until Ctrl-C."""
    former: set[str] = set()
    place.follow(selection.kinds)
    while True:
        parts = dict(_parts(_shown(place, selection, output), output))
        for compared, printed in parts.items():
            if compared not in former:
                click.echo(printed)
        former = set(parts)
        place.wait()


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

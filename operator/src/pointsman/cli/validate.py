"""`pointsman validate PATH…`: reads files, has them examined, prints what was found. Nothing is run."""

import json
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from pointsman.api import Finding, FleetSettings, GuardrailPolicy, Located, Stated, in_order
from pointsman.api.checks import Mode
from pointsman.api.documents import LARGEST_CHARACTERS, TOO_LARGE
from pointsman.api.examination import Examination, examine
from pointsman.cli.beforehand import Beforehand
from pointsman.cli.reading import read_texts
from pointsman.errors import PointsmanError
from pointsman.local.files.content import NotRegularError, regular_content
from pointsman.local.files.watching import manifest_files

_STANDARD_INPUT = "-"
_SHOWN_STANDARD_INPUT = "(standard input)"

_FOUND_ERRORS = 1
_COULD_NOT_READ = 2

_EXAMPLES = """\b
Examples:
  pointsman validate examples/quickstart
  pointsman validate deploy/ --for cluster -o json
  kustomize build . | pointsman validate -
  pointsman validate deploy/ --policies platform/policies
  kubectl get pgp -o yaml | pointsman validate deploy/ --policies -
"""


@click.command(name="validate", epilog=_EXAMPLES)
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="PATH...")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="What to print.",
)
@click.option(
    "--for",
    "mode",
    type=click.Choice(["any", "local", "cluster"]),
    default="any",
    show_default=True,
    help="Also refuse what local mode, or a cluster, cannot do; any: only what neither can.",
)
@click.option(
    "--policies",
    multiple=True,
    type=click.Path(),
    metavar="PATH",
    help="Where the GuardrailPolicies of the cluster are, beside those among PATH; repeatable.",
)
def command(paths: tuple[str, ...], output: str, mode: Mode, policies: tuple[str, ...]) -> int:
    """Check files without running anything.

    Reads files, and folders with everything below that ends in .yaml or .yml; - is standard input. A file
    named fleet.yaml holds the fleet settings. Prints one finding a line: file, line, object, field, what is
    wrong, what to do. A key that a Secret takes from a file or the environment and that is not there now is a
    warning, with --for local an error.

    Exits with 1 if there is an error, 2 if a path cannot be read, 0 otherwise; warnings are no errors.

    With -o json: {"findings": [{severity, file, line, kind, namespace, name, path, what, todo, ruleId}],
    "errors", "warnings", "files"}.
    """
    texts: dict[str, str] = {}
    findings: list[Finding] = []
    unreadable: list[str] = []
    for name, path in _files(paths, unreadable):
        try:
            content = _content(path, is_named=name in paths)
        except NotRegularError as error:
            findings.append(Finding("error", "", error.what, error.todo, file=name))
            continue
        except OSError as error:
            unreadable.append(_unreadable(error, name))
            continue
        text = _text(name, content)
        if isinstance(text, Finding):
            findings.append(text)
        else:
            texts[name] = text
    files = len(texts) + len(findings)
    examination = examine(texts, mode)
    findings = in_order(
        [
            *findings,
            *examination.findings,
            *_beforehand(examination, mode),
            *_by_policies(examination, policies),
        ]
    )
    _print(findings, files, output)
    for line in unreadable:
        click.echo(line, err=True)
    if unreadable:
        return _COULD_NOT_READ
    return _FOUND_ERRORS if any(finding.is_error for finding in findings) else 0


def _beforehand(examination: Examination, mode: Mode) -> list[Finding]:
    """What running the objects would bring to light."""
    resources = (located.resource for located in examination.objects)
    fleet = next((resource for resource in resources if isinstance(resource, FleetSettings)), None)
    asked = Beforehand(mode, os.environ, fleet)
    told: dict[str, set[str]] = {}
    for finding in examination.findings:
        if finding.is_error:
            told.setdefault(finding.subject, set()).add(finding.path)
    return [
        finding
        for located in examination.objects
        for finding in asked.found(located, told.get(located.finding((), "", "").subject, set()))
    ]


def _by_policies(examination: Examination, elsewhere: tuple[str, ...]) -> list[Finding]:
    """What the policies among the files, and those elsewhere, say of them. Of a policy elsewhere that is
    wrong it is said too: nothing can be told by it.
    """
    others = examine(read_texts(elsewhere), "any")
    if elsewhere and not others.findings and not _has_policies(others.objects):
        todo = "name where one is"
        raise PointsmanError("there is no GuardrailPolicy", where=", ".join(elsewhere), todo=todo)
    known = [located.resource for located in examination.objects]
    # A policy that is named twice says everything once.
    objects = [*examination.objects, *(one for one in others.objects if one.resource not in known)]
    if not _has_policies(objects):
        return list(others.findings)
    # What compiles expressions takes a moment to load, which files without policies need not wait for.
    from pointsman.policy.in_files import compiled_in, contradictions_in, ended_in, found_by_policies

    compiled, wrong = compiled_in(objects)
    now = datetime.now(UTC)
    return [
        *others.findings,
        *wrong,
        *ended_in(objects, now),
        *contradictions_in(objects, compiled, now),
        *found_by_policies(examination.objects, compiled, now),
    ]


def _has_policies(objects: Iterable[Located[Stated]]) -> bool:
    return any(isinstance(located.resource, GuardrailPolicy) for located in objects)


def _files(paths: tuple[str, ...], unreadable: list[str]) -> list[tuple[str, Path | None]]:
    """Name and path of each file to read, each once; the path is None for standard input."""
    found: dict[str, Path | None] = {}
    for name in paths:
        if name == _STANDARD_INPUT:
            found[_SHOWN_STANDARD_INPUT] = None
            continue
        told = len(unreadable)
        below = list(manifest_files([Path(name)], lambda error: unreadable.append(_unreadable(error))))
        if not below and len(unreadable) == told:
            unreadable.append(f"{name}: has no file that ends in .yaml or .yml; name one")
        found.update({str(path): path for path in below})
    return list(found.items())


def _unreadable(error: OSError, name: str = "") -> str:
    return f"{name or error.filename}: {error.strerror or error}"


def _content(path: Path | None, *, is_named: bool) -> bytes:
    """At most one byte more than may be, so that a file of any size costs little.

    A pipe that was named is meant, as in `validate <(kustomize build .)`; one found in a folder is not.
    """
    if path is None:
        # Python has none where the shell has closed it.
        text: TextIO | None = sys.stdin
        if text is None:
            raise OSError("is closed")
        return text.buffer.read(LARGEST_CHARACTERS + 1)
    if not is_named:
        return regular_content(path, LARGEST_CHARACTERS + 1)
    with path.open("rb") as stream:
        return stream.read(LARGEST_CHARACTERS + 1)


def _text(name: str, content: bytes) -> str | Finding:
    if len(content) > LARGEST_CHARACTERS:
        what, todo = TOO_LARGE
        return Finding("error", "", what, todo, file=name, line=1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return Finding("error", "", "not Unicode text", "save it as UTF-8", file=name, line=line)


def _print(findings: list[Finding], files: int, output: str) -> None:
    errors = sum(finding.is_error for finding in findings)
    warnings = len(findings) - errors
    if output == "json":
        counts = {"errors": errors, "warnings": warnings, "files": files}
        document = {"findings": [finding.to_document() for finding in findings], **counts}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for finding in findings:
        click.echo(finding.text())
    if files:
        click.echo(f"{_count(errors, 'error')}, {_count(warnings, 'warning')} in {_count(files, 'file')}")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

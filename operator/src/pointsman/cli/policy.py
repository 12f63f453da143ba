"""`pointsman policy`: the packs, what a cluster gets, tests of a team's own policies, and evidence."""

import json
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from pointsman.api.documents import read_documents
from pointsman.api.examination import Examination, examine
from pointsman.api.explanations import first_mistake
from pointsman.cli.policy_record import evidence
from pointsman.cli.policy_report import report
from pointsman.cli.reading import read_texts
from pointsman.errors import PointsmanError
from pointsman.policy.compiled import Compiled
from pointsman.policy.in_files import compiled_in, ended_in
from pointsman.policy.native import as_static, mutating, validating
from pointsman.policy.packs import Pack, shipped_library
from pointsman.policy.source import RuleSource
from pointsman.policy.testing import PolicyTests, Tested, run_tests
from pointsman.yaml_text import dumped

_FOUND_ERRORS = 1


@click.group(name="policy")
def command() -> None:
    """Guardrail policies: list packs, render what a cluster gets, test your own, report and keep evidence."""


for _one in (report, evidence):
    command.add_command(_one)


@command.command(name="list", epilog="Example: pointsman policy list supply-chain")
@click.argument("packs", nargs=-1, metavar="[PACK...]")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_(packs: tuple[str, ...], output: str) -> None:
    """Print the rules of the packs: id, severity, where it is held, what it asks."""
    library = shipped_library()
    unknown = [name for name in packs if name not in library.packs]
    if unknown:
        raise PointsmanError(
            f"there is no pack {unknown[0]}",
            where="policy list",
            todo=f"there are {', '.join(library.packs)}",
        )
    chosen = [pack for name, pack in library.packs.items() if not packs or name in packs]
    if output == "json":
        click.echo(json.dumps([_document(pack) for pack in chosen], indent=2))
        return
    for number, pack in enumerate(chosen):
        click.echo(("\n" if number else "") + f"{pack.name}: {pack.source.title} ({len(pack.rules)} rules)")
        for rule in pack.rules.values():
            why = f" ({rule.unseen})" if rule.unseen else ""
            click.echo(f"  {rule.id:<13} {rule.severity:<9} {held(rule):<16} {rule.title}{why}")


def held(rule: RuleSource) -> str:
    """Where a rule is held, in a word or two."""
    if rule.waits_for:
        return "not yet"
    if rule.checks:
        return "at admission"
    if rule.unseen:
        return "not enforced"
    return "in background" if rule.background else "not at run time"


def _document(pack: Pack) -> dict[str, Any]:
    return {
        "name": pack.name,
        "title": pack.source.title,
        "rules": [
            {
                "id": rule.id,
                "title": rule.title,
                "severity": rule.severity.value,
                "held": held(rule),
                **({"unseen": rule.unseen} if rule.unseen else {}),
                "kinds": [kind.value for kind in rule.checks],
                "controls": {name: list(ids) for name, ids in rule.controls.items()},
            }
            for rule in pack.rules.values()
        ],
    }


@command.command(epilog="Example: pointsman policy render platform/policies | kubectl diff -f -")
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="PATH...")
@click.option(
    "--static",
    is_flag=True,
    help="As files for an API server that loads policies from disk, which nobody changes through its API.",
)
@click.option(
    "--system-namespace",
    default="pointsman-system",
    show_default=True,
    help="The namespace of the installation, which no rule is for.",
)
def render(paths: tuple[str, ...], static: bool, system_namespace: str) -> int:
    """Print the native admission policies that GuardrailPolicies become, without a cluster.

    Exits with 1 if a policy has an error; then nothing is printed.
    """
    now = datetime.now(UTC)
    policies, has_errors = _policies(examine(read_texts(paths), "cluster"), now)
    if has_errors:
        return _FOUND_ERRORS
    if not policies:
        raise PointsmanError("there is no GuardrailPolicy", where=", ".join(paths), todo="name where one is")
    objects = [
        manifest
        for policy in policies
        for manifest in (*validating(policy, now, [system_namespace]), *mutating(policy, [system_namespace]))
    ]
    shown = [as_static(one) for one in objects] if static else objects
    click.echo(dumped(shown), nl=False)
    return 0


@command.command(epilog="Example: pointsman policy test policies/tests.yaml --junit out/policies.xml")
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("--junit", type=click.Path(), help="Write the results for a CI system to this file.")
def test(files: tuple[str, ...], junit: str | None) -> int:
    """Run tests of your policies: objects, and the rules that each should break.

    \b
    policies: [policy.yaml]
    tests:
      - name: an unpinned model is refused
        object: {apiVersion: pointsman.dev/v1alpha1, kind: ModelDeployment, ...}
        namespace: {name: lab, labels: {stage: lab}}
        violates: [SUP-06]

    Exits with 1 if a test fails.
    """
    results = {name: _tested(Path(name)) for name in files}
    for name, found in results.items():
        for one in found:
            click.echo(
                f"{'FAIL' if one.why else 'ok  '} {name}: {one.name}{f': {one.why}' if one.why else ''}"
            )
    failed = sum(bool(one.why) for found in results.values() for one in found)
    total = sum(map(len, results.values()))
    click.echo(f"{total - failed} passed, {failed} failed")
    if junit is not None:
        _write(Path(junit), results)
    return _FOUND_ERRORS if failed else 0


def _tested(file: Path) -> list[Tested]:
    stated = _stated(file)
    texts = read_texts(tuple(str(file.parent / path) for path in stated.policies))
    now = datetime.now(UTC)
    policies, has_errors = _policies(examine(texts, "cluster"), now)
    if has_errors:
        raise PointsmanError("its policies have errors", where=str(file), todo="mend them first")
    if not policies:
        raise PointsmanError("there is no GuardrailPolicy in what policies names", where=str(file))
    return run_tests(stated.tests, policies, now)


def _stated(file: Path) -> PolicyTests:
    try:
        documents, problems = read_documents(file.read_text("utf-8"))
    except UnicodeDecodeError:
        raise PointsmanError("it is no UTF-8 text", where=str(file)) from None
    except OSError as error:
        raise PointsmanError(error.strerror or str(error), where=str(file)) from None
    for problem in problems:
        raise PointsmanError(problem.what, where=f"{file}:{problem.position.line}", todo=problem.todo)
    found = [document.plain() for document in documents]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise PointsmanError("is not one mapping", where=str(file), todo="begin with policies and tests")
    try:
        return PolicyTests.model_validate(found[0])
    except ValidationError as error:
        raise PointsmanError(first_mistake(error, PolicyTests), where=str(file)) from None


def _write(junit: Path, results: dict[str, list[Tested]]) -> None:
    try:
        junit.parent.mkdir(parents=True, exist_ok=True)
        _junit(results).write(junit, encoding="utf-8", xml_declaration=True)
    except OSError as error:
        raise PointsmanError(f"cannot be written ({error.strerror})", where=str(junit)) from error


def _policies(examination: Examination, now: datetime) -> tuple[list[Compiled], bool]:
    """Those among the objects; what is wrong is printed."""
    policies, wrong = compiled_in(examination.objects)
    findings = [*examination.findings, *wrong, *ended_in(examination.objects, now)]
    for finding in findings:
        click.echo(finding.text(), err=True)
    return policies, any(finding.is_error for finding in findings)


def _junit(results: dict[str, list[Tested]]) -> "ET.ElementTree[ET.Element]":
    root = ET.Element("testsuites")
    for name, found in results.items():
        failed = str(sum(bool(one.why) for one in found))
        suite = ET.SubElement(root, "testsuite", name=name, tests=str(len(found)), failures=failed)
        for one in found:
            case = ET.SubElement(suite, "testcase", classname=name, name=_in_xml(one.name))
            if one.why:
                ET.SubElement(case, "failure", message=_in_xml(one.why))
    return ET.ElementTree(root)


def _in_xml(text: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(one if one in "\t\n\r" or one >= " " else "\N{REPLACEMENT CHARACTER}" for one in text)

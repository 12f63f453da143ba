"""`pointsman policy report`, `evidence append` and `verify`: what an auditor asks for, out of files."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from pointsman import __version__
from pointsman.api import GuardrailPolicy
from pointsman.api.examination import examine
from pointsman.cli.policy_record import append as append_to
from pointsman.cli.policy_record import entries_in, lines_in
from pointsman.cli.reading import read_texts
from pointsman.errors import PointsmanError
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence import bodies, shown
from pointsman.policy.evidence.judged import Judged, conditions, judged
from pointsman.policy.evidence.oscal import assessment_results
from pointsman.policy.evidence.record import EMPTY, Broken, Entry, EntryKind, Verified, chained
from pointsman.policy.evidence.record import verify as verified
from pointsman.policy.evidence.report import Recorded, Report
from pointsman.policy.evidence.report import report as made_report
from pointsman.policy.in_files import admitted_in, compiled_in, seen_from_a_file
from pointsman.policy.packs import shipped_library

_FOUND_ERRORS = 1

_PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="PATH...")
_POLICIES = click.option(
    "--policies",
    multiple=True,
    type=click.Path(),
    metavar="PATH",
    help="Where the GuardrailPolicies are, beside those among PATH; repeatable.",
)


@dataclass(frozen=True)
class _Case:
    """What is judged, by what, and what was found."""

    stated: list[GuardrailPolicy]
    policies: list[Compiled]
    judged: list[Judged]


class _Time(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: str | datetime, parameter: click.Parameter | None, context: click.Context | None
    ) -> datetime:
        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        except ValueError:
            self.fail(f'"{value}" is no time such as 2026-12-01T08:00:00Z', parameter, context)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


class _Hash(click.ParamType[str]):
    name = "hash"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            self.fail("a hash has 64 hexadecimal digits in small letters", parameter, context)
        return value


@click.command(
    epilog="Example: pointsman policy report fleet --policies platform/policies --framework eu-ai-act"
)
@_PATHS
@_POLICIES
@click.option(
    "--framework", "frameworks", multiple=True, metavar="NAME", help="Only this framework; repeatable."
)
@click.option(
    "--record", type=click.Path(), metavar="FILE", help="Say what this record holds; it must verify."
)
@click.option("--at", type=_Time(), help="Judge as of this time, at which exceptions count; now without it.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["text", "json", "markdown", "html", "oscal"]),
    default="text",
    show_default=True,
    help="oscal: assessment results of NIST's OSCAL, as JSON.",
)
def report(
    paths: tuple[str, ...],
    policies: tuple[str, ...],
    frameworks: tuple[str, ...],
    record: str | None,
    at: datetime | None,
    output: str,
) -> int:
    """Print what the objects of files say about the controls of a framework.

    A control passes where an object that its rules are for was judged, and none of its rules that are turned
    on fails, is excepted from or cannot be held yet. A rule that is not for an object is no evidence.

    Exits with 1 if a file has an error; then nothing is printed. What fails is no error here.
    """
    now = at or datetime.now(UTC)
    case = _case(paths, policies, now)
    if case is None:
        return _FOUND_ERRORS
    recorded = _recorded(record) if record is not None else None
    made = made_report(case.policies, case.judged, shipped_library(), frameworks, now, recorded)
    click.echo(_written(made, output), nl=False)
    return 0


def _written(made: Report, output: str) -> str:
    match output:
        case "json":
            return json.dumps(shown.document(made), indent=2, ensure_ascii=False) + "\n"
        case "markdown":
            return shown.markdown(made)
        case "html":
            return shown.html(made)
        case "oscal":
            return json.dumps(assessment_results(made, __version__), indent=2, ensure_ascii=False) + "\n"
        case _:
            return shown.text(made)


def _recorded(file: str) -> Recorded:
    counted: Counter[tuple[str, str]] = Counter()
    end = EMPTY
    for entry in entries_in(file):
        end = Verified(entry.sequence, entry.hash)
        if entry.kind is EntryKind.VERDICT and entry.body.get("outcome") != bodies.NOT_APPLICABLE:
            counted[str(entry.body.get("policy")), str(entry.body.get("rule"))] += 1
    return Recorded(end.entries, end.head, counted)


@click.group()
def evidence() -> None:
    """Keep a record of verdicts, policies and exceptions that shows whether somebody changed it."""


@evidence.command(
    epilog="Example: pointsman policy evidence append audit/record.jsonl fleet --policies platform/policies"
)
@click.argument("file", type=click.Path())
@_PATHS
@_POLICIES
def append(file: str, paths: tuple[str, ...], policies: tuple[str, ...]) -> int:
    """Judge the objects of files and append the verdicts to a record.

    Policies and exceptions are written where they are not in the record as they are. Prints the hash of the
    last entry: kept elsewhere, it shows later that nothing was cut off. Nothing is appended to a record that
    does not verify.

    Exits with 1 if a file has an error, or if the record is broken or cannot be written.
    """
    now = datetime.now(UTC)
    case = _case(paths, policies, now)
    if case is None:
        return _FOUND_ERRORS
    before = EMPTY

    def made(found: Iterator[Entry]) -> tuple[bytes, Verified]:
        nonlocal before
        stated = []
        for entry in found:
            before = Verified(entry.sequence, entry.hash)
            if entry.kind is not EntryKind.VERDICT:
                stated.append(entry)
        first = [bodies.start(__version__)] if before == EMPTY else []
        news = bodies.unrecorded(stated, bodies.policies(case.stated, case.policies))
        return chained(before, now, [*first, *news, *map(bodies.verdict, case.judged)])

    end = append_to(file, made)
    click.echo(
        f"{file}: {end.entries - before.entries} entries appended, {end.entries} in all, head {end.head}"
    )
    return 0


@click.command(epilog="Example: pointsman policy verify audit/record.jsonl --head 5f3c…")
@click.argument("file", type=click.Path())
@click.option("--head", type=_Hash(), help="The hash of an entry that it is known to have had.")
@click.option("--entries", type=click.IntRange(min=0), help="How many entries it is known to have had.")
def verify(file: str, head: str | None, entries: int | None) -> int:
    """Verify a record: that nothing in it was changed, removed, inserted or moved.

    That its end was cut off, or that all of it was written anew, shows with --head alone (a cut also with
    --entries), which must come from elsewhere.

    Exits with 1 at the first break, and says in which line it is.
    """
    found = verified(lines_in(file), head or "", entries)
    if isinstance(found, Broken):
        raise PointsmanError(found.what, where=f"{file}:{found.line}", todo=found.todo)
    click.echo(f"{file}: {found.entries} entries, chain verified, head {found.head}")
    return 0


def _case(paths: tuple[str, ...], elsewhere: tuple[str, ...], now: datetime) -> _Case | None:
    """None where a file has an error, which is printed."""
    objects = read_texts(paths)
    examination = examine({**objects, **read_texts(elsewhere)}, "any")
    policies, wrong = compiled_in(examination.objects)
    errors = [finding for finding in (*examination.findings, *wrong) if finding.is_error]
    for finding in errors:
        click.echo(finding.text(), err=True)
    if errors:
        return None
    if not policies:
        raise PointsmanError(
            "there is no GuardrailPolicy to judge by", where="policy", todo="name where it is with --policies"
        )
    stated = [one.resource for one in examination.objects if isinstance(one.resource, GuardrailPolicy)]

    def found() -> Iterator[Judged]:
        applying = conditions(stated, shipped_library())
        mine = [seen_from_a_file(policy) for policy in policies]
        judging = [one for one in examination.objects if one.file in objects]
        for _, kind, obj, namespace, beside in admitted_in(judging):
            yield from judged(mine, applying, kind, obj, namespace, now, beside)

    return _Case(stated, policies, list(found()))

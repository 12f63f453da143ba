"""`pointsman policy report`: what objects, or a record of them, say about the controls of frameworks."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from pointsman import __version__
from pointsman.api.examination import examine
from pointsman.cli.reading import read_texts
from pointsman.errors import PointsmanError
from pointsman.policy.compiled import Compiled
from pointsman.policy.evidence import shown
from pointsman.policy.evidence.judged import Judged, judged
from pointsman.policy.evidence.oscal import assessment_results
from pointsman.policy.evidence.page import html
from pointsman.policy.evidence.record import RecordError, entries_of
from pointsman.policy.evidence.recorded import Shown
from pointsman.policy.evidence.recorded import shown as read_back
from pointsman.policy.evidence.report import Recorded, Report
from pointsman.policy.evidence.report import report as made_report
from pointsman.policy.in_files import admitted_in, compiled_in, seen_from_a_file
from pointsman.policy.packs import shipped_library
from pointsman.records.opening import record_at
from pointsman.records.place import broken

FOUND_ERRORS = 1

POLICIES = click.option(
    "--policies",
    multiple=True,
    type=click.Path(),
    metavar="PATH",
    help="Where the GuardrailPolicies are, beside those among PATH; repeatable.",
)
CREDENTIALS = click.option(
    "--credentials",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="A JSON object of the store's settings, where the record is in a bucket and the store's own ways to "
    "credentials do not do.",
)


@dataclass(frozen=True)
class Case:
    """What is judged, by what, and what was found."""

    policies: list[Compiled]
    judged: list[Judged]


class Time(click.ParamType[datetime]):
    name = "time"

    def convert(
        self, value: str | datetime, parameter: click.Parameter | None, context: click.Context | None
    ) -> datetime:
        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f'"{value}" is no time such as 2026-12-01T08:00:00Z', parameter, context)


@click.command(
    epilog="Example: pointsman policy report fleet --policies platform/policies --framework eu-ai-act"
)
@click.argument("paths", nargs=-1, type=click.Path(allow_dash=True), metavar="[PATH]...")
@POLICIES
@click.option(
    "--framework", "frameworks", multiple=True, metavar="NAME", help="Only this framework; repeatable."
)
@click.option(
    "--record",
    type=click.Path(),
    metavar="RECORD",
    help="A record of evidence, a file or s3://BUCKET/PREFIX; it must verify. Without PATH it alone is what "
    "the report says.",
)
@CREDENTIALS
@click.option("--at", type=Time(), help="As of this time, at which exceptions count; now without it.")
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
    credentials: str | None,
    at: datetime | None,
    output: str,
) -> int:
    """Print what the objects of files, or a record of evidence, say about the controls of a framework.

    A control passes where an object that its rules are for was judged, and none of its rules that are turned
    on fails, is excepted from or cannot be held yet. A rule that is not for an object is no evidence. Of a
    record what was said last of each object counts, where the policy still has the same rules.

    Exits with 1 if a file has an error; then nothing is printed. What fails is no error here.
    """
    now = at or datetime.now(UTC)
    read = _read(record, credentials, now) if record is not None else None
    if paths:
        case = case_in(paths, policies, now)
        if case is None:
            return FOUND_ERRORS
    elif read is None or policies:
        raise click.UsageError("name the files of objects, or a record alone with --record")
    else:
        case = Case(list(read.policies.values()), read.judged)
    recorded = None if read is None else _recorded(read, is_all=not paths)
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
            return html(made)
        case "oscal":
            return json.dumps(assessment_results(made, __version__), indent=2, ensure_ascii=False) + "\n"
        case _:
            return shown.text(made)


def _read(address: str, credentials: str | None, at: datetime) -> Shown:
    record = record_at(address, credentials)
    try:
        return read_back(entries_of(record.lines()), at)
    except RecordError as error:
        raise broken(record, error.broken.line, error.broken.what, error.broken.todo) from None


def _recorded(read: Shown, *, is_all: bool) -> Recorded:
    return Recorded(
        read.end.entries,
        read.end.head,
        read.counted,
        tuple(read.gaps),
        read.unnamed,
        is_all=is_all,
        last_at=read.last_at,
    )


def case_in(paths: tuple[str, ...], elsewhere: tuple[str, ...], now: datetime) -> Case | None:
    """What the policies say of the objects of files; None where a file has an error, which is printed."""
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

    def found() -> Iterator[Judged]:
        mine = [seen_from_a_file(policy) for policy in policies]
        judging = [one for one in examination.objects if one.file in objects]
        for _, kind, obj, namespace, beside in admitted_in(judging):
            yield from judged(mine, kind, obj, namespace, now, beside)

    return Case(policies, list(found()))

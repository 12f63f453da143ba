"""`pointsman policy evidence`: a record of what policies say, kept, and verified."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby

import click

from pointsman import __version__
from pointsman.cli.policy_report import CREDENTIALS, FOUND_ERRORS, POLICIES, Case, case_in
from pointsman.errors import PointsmanError
from pointsman.policy.evidence import bodies
from pointsman.policy.evidence.bodies import Body
from pointsman.policy.evidence.known import Known, PolicySeen
from pointsman.policy.evidence.record import EMPTY, Broken, Entry, Verified, chained
from pointsman.policy.evidence.record import verify as verified
from pointsman.records.file import append as append_to
from pointsman.records.opening import is_bucket, record_at
from pointsman.records.place import broken, start_with


class _Hash(click.ParamType[str]):
    name = "hash"

    def convert(self, value: str, parameter: click.Parameter | None, context: click.Context | None) -> str:
        if not re.fullmatch(r"[0-9a-f]{64}", value):
            self.fail("a hash has 64 hexadecimal digits in small letters", parameter, context)
        return value


@click.group()
def evidence() -> None:
    """Keep a record of verdicts, policies and exceptions that shows whether somebody changed it."""


@evidence.command(
    epilog="Example: pointsman policy evidence append audit/record.jsonl fleet --policies platform/policies"
)
@click.argument("file", type=click.Path())
@click.argument("paths", nargs=-1, required=True, type=click.Path(allow_dash=True), metavar="PATH...")
@POLICIES
def append(file: str, paths: tuple[str, ...], policies: tuple[str, ...]) -> int:
    """Judge the objects of files and append the verdicts to a record.

    Policies and exceptions are written where they are not in the record as they are. Prints the hash of the
    last entry: kept elsewhere, it shows later that nothing was cut off. Nothing is appended to a record that
    does not verify. In a cluster the operator writes a record, by the fleet settings.

    Exits with 1 if a file has an error, or if the record is broken or cannot be written.
    """
    if is_bucket(file):
        raise PointsmanError("only the operator writes to a bucket", where=file, todo="name a file")
    now = datetime.now(UTC)
    case = case_in(paths, policies, now)
    if case is None:
        return FOUND_ERRORS
    before = EMPTY

    def made(found: Iterator[Entry]) -> tuple[bytes, Verified]:
        nonlocal before
        known = Known()
        for entry in found:
            before = Verified(entry.sequence, entry.hash)
            known.take(entry.kind, entry.body)
        first = [bodies.start(__version__)] if before == EMPTY else []
        return chained(before, now, [*first, *_news(case, known, now)])

    end = append_to(file, made)
    click.echo(
        f"{file}: {end.entries - before.entries} entries appended, {end.entries} in all, head {end.head}"
    )
    return 0


def _news(case: Case, known: Known, now: datetime) -> Iterator[Body]:
    """Policies as far as the record does not say them, and every verdict: that it was given again is news."""
    of_rules = {policy.name: bodies.rules_digest(policy) for policy in case.policies}
    for policy in case.policies:
        for body in known.unrecorded(PolicySeen(now, "", 0, policy, of_rules[policy.name], None)):
            known.take(*body)
            yield body
    for (name, seen), found in groupby(case.judged, lambda one: (one.verdict.policy, one.object)):
        yield bodies.verdict(name, of_rules[name], seen, found)


@evidence.command(epilog="Example: pointsman policy evidence verify s3://audit/fleet --head 5f3c…")
@click.argument("record", type=click.Path())
@CREDENTIALS
@click.option("--head", type=_Hash(), help="The hash of an entry that it is known to have had.")
@click.option("--entries", type=click.IntRange(min=0), help="How many entries it is known to have had.")
@click.option(
    "--since",
    type=_Hash(),
    help="The hash of an entry up to which it was verified before: read no further back than its segment.",
)
def verify(
    record: str, credentials: str | None, head: str | None, entries: int | None, since: str | None
) -> int:
    """Verify a record: that nothing in it was changed, removed, inserted or moved.

    RECORD is a file, or the prefix of a bucket: s3://BUCKET/PREFIX, gs:// and az:// likewise.

    That its end was cut off, or that all of it was written anew, shows with --head alone (a cut also with
    --entries), which must come from elsewhere: the status of GuardrailPolicies and the operator's log have
    it.

    With --since, which is for the head of last time, that entry and all behind it are verified, and what is
    before it in its segment. Of what is in segments before nothing is said.

    Exits with 1 at the first break, and says in which line it is.
    """
    opened = record_at(record, credentials)
    start = start_with(opened, since) if since else 1
    found = verified(opened.lines(start), head or "", entries, since=since or "", start=start)
    if isinstance(found, Broken):
        raise broken(opened, found.line, found.what, found.todo)
    part = f" from entry {start} on" if start > 1 else ""
    click.echo(f"{record}: {found.entries} entries, chain verified{part}, head {found.head}")
    if start > 1:
        click.echo(
            f"{record}: not read: entries 1 to {start - 1}; that they are there, and unchanged, is shown "
            "without --since alone"
        )
    return 0

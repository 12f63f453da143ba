"""A report of a record alone: what was recorded last counts, and what was not is no evidence."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pointsman.errors import PointsmanError
from pointsman.policy.compiled import Compiled, compile_policy
from pointsman.policy.evidence import bodies, shown
from pointsman.policy.evidence.bodies import Body
from pointsman.policy.evidence.judged import Object
from pointsman.policy.evidence.known import Known, PolicyGone, PolicySeen
from pointsman.policy.evidence.record import EMPTY, Entry, EntryKind, chained_each, entries_of
from pointsman.policy.evidence.recorded import shown as read_back
from pointsman.policy.evidence.report import Recorded, Report, State, report
from tests.support.policies import guardrail_policy
from tests.unit.policy.evidence.test_report import AT, EXCEPTION, LICENCES, control

Json = dict[str, Any]

LATER = AT + timedelta(hours=1)
MUCH_LATER = datetime(2027, 3, 1, tzinfo=UTC)


def policy(*exceptions: Json, **spec: Any) -> Compiled:
    stated = {"packs": [{"name": "example"}], "exceptions": list(exceptions), **spec}
    return compile_policy(guardrail_policy(stated), LICENCES)


def stated(one: Compiled, at: datetime = AT) -> Iterator[Body]:
    return Known().unrecorded(PolicySeen(at, "uid", 1, one, bodies.rules_digest(one), None))


def verdict(one: Compiled, name: str, outcome: str, **more: Any) -> Body:
    seen = Object("ModelDeployment", "team", name, "0")
    kind, body = bodies.verdict(one.name, bodies.rules_digest(one), seen, [])
    return kind, {**body, "outcomes": {"EX-01": outcome}, "messages": {"EX-01": "there is none"}, **more}


def recorded(*said: tuple[datetime, Body]) -> list[Entry]:
    text, _ = chained_each(EMPTY, [(at, *body) for at, body in said])
    return list(entries_of(text.splitlines(keepends=True)))


def reported(entries: list[Entry], at: datetime = LATER) -> Report:
    read = read_back(entries, at)
    told = Recorded(
        read.end.entries, read.end.head, read.counted, tuple(read.gaps), is_all=True, last_at=read.last_at
    )
    return report(list(read.policies.values()), read.judged, LICENCES, ["acme"], at, told)


HOUSE = policy()
GONE = bodies.gone("house", "ModelDeployment", "team", "chat")
DELETED = bodies.deleted("house")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([], State.NO_EVIDENCE),
        ([verdict(HOUSE, "chat", "pass")], State.PASS),
        ([verdict(HOUSE, "chat", bodies.NOT_APPLICABLE)], State.NO_EVIDENCE),
        ([verdict(HOUSE, "chat", "pass"), verdict(HOUSE, "other", "fail")], State.FAIL),
        ([verdict(HOUSE, "chat", "fail"), verdict(HOUSE, "chat", "pass")], State.PASS),
        ([verdict(HOUSE, "chat", "error")], State.FAIL),
        ([verdict(HOUSE, "chat", "fail"), GONE], State.NO_EVIDENCE),
        ([verdict(HOUSE, "chat", "pass", digest="of other rules")], State.NO_EVIDENCE),
        ([verdict(HOUSE, "chat", "pass"), DELETED], State.NO_EVIDENCE),
    ],
    ids=[
        "nothing",
        "a pass",
        "a rule that is not for it",
        "one of two fails",
        "the last one counts",
        "what could not be evaluated fails",
        "an object that is gone",
        "other rules of that name",
        "a policy that is gone",
    ],
)
def test_a_control_reads_what_the_record_says(said: list[Body], state: State) -> None:
    entries = recorded(*((AT, body) for body in [*stated(HOUSE), *said]))
    assert control(reported(entries)).state is state


def test_a_record_is_read_as_of_a_time() -> None:
    first = [(AT, body) for body in (*stated(HOUSE), verdict(HOUSE, "chat", "fail"))]
    entries = recorded(*first, (LATER, verdict(HOUSE, "chat", "pass")))
    assert control(reported(entries, AT)).state is State.FAIL
    assert control(reported(entries, LATER)).state is State.PASS


def test_an_exception_that_ended_meanwhile_excepts_nothing() -> None:
    house = policy(EXCEPTION)
    exempt = verdict(house, "bad", "exempt", exceptions={"EX-01": "EXC-1"})
    entries = recorded(*((AT, body) for body in (*stated(house), exempt)))
    said = reported(entries)
    assert control(said).state is State.EXEMPT
    assert "1 exception lives: EXC-1 (EX-01, */bad" in shown.text(said)
    assert control(reported(entries, MUCH_LATER)).state is State.FAIL
    ended = Known()
    for one in entries:
        ended.take(one.kind, one.body)
    over = recorded(
        *((AT, (one.kind, one.body)) for one in entries),
        *((AT, body) for body in ended.unrecorded(PolicyGone(AT, "house")) if body[0] is EntryKind.EXCEPTION),
    )
    assert control(reported(over)).state is State.FAIL


def test_gaps_are_said_where_the_report_ends() -> None:
    gaps = [bodies.gap(AT, LATER, "No space left", 2), bodies.gap(None, LATER, "a line was taken away")]
    entries = recorded(*((AT, body) for body in (*stated(HOUSE), verdict(HOUSE, "chat", "pass"), *gaps)))
    said = shown.text(reported(entries))
    begin, end = "2026-12-01T00:00:00Z", "2026-12-01T01:00:00Z"
    assert f"1 object as recorded by {end}, the last one of {begin}, judged by house\n" in said
    assert f"gap in the record: {begin} to {end}: No space left, 2 entries lost\n" in said
    assert f"gap in the record: by {end}: a line was taken away\n" in said


def test_an_entry_that_another_version_wrote_is_named() -> None:
    entries = recorded((AT, (EntryKind.VERDICT, {"policy": "house", "rule": "EX-01", "outcome": "pass"})))
    with pytest.raises(PointsmanError, match="entry 1 is not as this version writes them"):
        read_back(entries, LATER)

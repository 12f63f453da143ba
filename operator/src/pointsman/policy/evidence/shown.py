"""A report as people and programs read it: lines for a terminal, Markdown, and JSON."""

import re
from collections.abc import Iterator
from typing import Any

from pointsman.policy.evidence.bodies import scope
from pointsman.policy.evidence.judged import Judged
from pointsman.policy.evidence.record import time_text
from pointsman.policy.evidence.recorded import Gap
from pointsman.policy.evidence.report import (
    Control,
    Framework,
    LiveException,
    Recorded,
    Report,
    RuleFound,
    State,
)

_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


def text(report: Report) -> str:
    """Lines for a terminal: a control by its rules, each with what it said."""
    lines: list[str] = []
    for framework in report.frameworks:
        lines.append(f"{framework.name}: {framework.title} ({framework.version})")
        lines += _lines(framework, report)
        lines.append(counts(framework))
        lines.append("")
    return "\n".join([*lines, *foot(report)]) + "\n"


def _lines(framework: Framework, report: Report) -> Iterator[str]:
    wide = max((len(control.id) for control in framework.controls), default=0)
    rules = [len(one.rule.id) for control in framework.controls for one in control.rules]
    wide_rule = max(rules, default=0)
    for control in framework.controls:
        begin = f"{control.id:<{wide}}  {control.state:<12}"
        if control.state is State.NO_EVIDENCE:
            yield f"{begin}  {control.why_no_evidence}"
            continue
        for one in control.rules:
            yield f"{begin}  {one.rule.id:<{wide_rule}}  {said(one)}{_records(one, report)}"
            begin = " " * len(begin)


def said(one: RuleFound) -> str:
    """What a rule said of everything that was judged, in a line."""
    if one.why_not_enforced:
        return f"not enforced: {one.why_not_enforced}"
    if not one.judged:
        return "no object that it is for was judged"
    parts = [f"{one.passed} of {len(one.judged)} pass"]
    if one.failed:
        parts.append(f"{_verb(len(one.failed), 'fail')}: {', '.join(str(it.object) for it in one.failed)}")
    if one.exempt:
        parts.append(f"{len(one.exempt)} exempt: {', '.join(map(_exempt, one.exempt))}")
    return "; ".join(parts)


def _verb(number: int, verb: str) -> str:
    return f"{number} {verb}{'s' if number == 1 else ''}"


def _exempt(one: Judged) -> str:
    exemption = one.verdict.exemption
    if exemption is None:
        return str(one.object)
    until = f"until {exemption.until_text}, approved by {exemption.approved_by}"
    return f"{one.object} ({exemption.id} {until})"


def _records(one: RuleFound, report: Report) -> str:
    return f"; evidence: {_number(report, one)}" if report.recorded is not None else ""


def _number(report: Report, one: RuleFound) -> str:
    count = report.recorded.verdicts.get((one.policy, one.rule.id), 0) if report.recorded is not None else 0
    return f"{count} record{'' if count == 1 else 's'}"


def counts(framework: Framework) -> str:
    counted = ", ".join(f"{count} {state}" for state in State if (count := framework.count(state)))
    number = len(framework.controls)
    return f"{number} control{'' if number == 1 else 's'}: {counted}"


def foot(report: Report) -> Iterator[str]:
    """What was judged, when and by what; of a record its end and its gaps; exceptions that count."""
    objects = f"{report.objects} object{'' if report.objects == 1 else 's'}"
    policies, at = ", ".join(report.policies) or "no policy", time_text(report.at)
    recorded = report.recorded
    if recorded is not None and recorded.is_all:
        last = f", the last one of {recorded.last_at}" if recorded.last_at else ""
        yield f"{objects} as recorded by {at}{last}, judged by {policies}"
    else:
        yield f"{objects} judged by {policies} at {at}"
    if recorded is not None:
        yield f"record: {recorded.entries} entries, chain verified, head {recorded.head}"
        yield from (f"gap in the record: {_gap(one)}" for one in recorded.gaps)
        for name, number in sorted(recorded.unnamed.items()):
            yield (
                f"not named each: {name} stands for pods that differ ({number} when it was written), "
                "with the worst that each rule says of one"
            )
    if report.exceptions:
        lives = "exception lives" if len(report.exceptions) == 1 else "exceptions live"
        yield f"{len(report.exceptions)} {lives}: {'; '.join(map(_live, report.exceptions))}"


def _gap(one: Gap) -> str:
    since = f"{one.since} to " if one.since else "by "
    lost = f", {one.lost} entr{'y' if one.lost == 1 else 'ies'} lost" if one.lost else ""
    return f"{since}{one.until}: {one.why}{lost}"


def _live(one: LiveException) -> str:
    it = one.exemption
    ends = f"ends in {one.days} day{'' if one.days == 1 else 's'}"
    return f"{it.id} ({', '.join(sorted(it.rules))}, {scope(it)}, {ends}, approved by {it.approved_by})"


def cells(control: Control, report: Report) -> list[str]:
    """What stands beside a control, one text a rule."""
    if control.state is State.NO_EVIDENCE:
        return [control.why_no_evidence]
    return [f"{one.rule.id}: {said(one)}{_records(one, report)}" for one in control.rules]


def reasons(framework: Framework) -> Iterator[tuple[str, str, str]]:
    """Rule, object and message of each violation, once."""
    found = {
        (one.rule.id, str(it.object), it.verdict.message): None
        for control in framework.controls
        for one in control.rules
        if not one.why_not_enforced
        for it in one.failed
    }
    yield from found


def markdown(report: Report) -> str:
    """A page in Markdown."""
    lines = ["# Compliance report", ""]
    for framework in report.frameworks:
        lines += [
            f"## {_plain(framework.title)}",
            "",
            f"{_plain(framework.name)}, {_plain(framework.version)}",
        ]
        lines += ["", "| control | | state | rules |", "|---|---|---|---|"]
        lines += [
            f"| {_plain(control.id)} | {_plain(control.title)} | {control.state} "
            f"| {'<br>'.join(map(_plain, cells(control, report)))} |"
            for control in framework.controls
        ]
        lines += ["", counts(framework) + ".", ""]
        failing = list(reasons(framework))
        if failing:
            lines += ["### What fails", ""]
            lines += [f"- {rule}, {_plain(of)}: {_plain(why)}" for rule, of, why in failing]
            lines.append("")
    lines += [f"{_plain(line)}\n" for line in foot(report)]
    return "\n".join(lines)


def _plain(said: str) -> str:
    """Without what Markdown would take for its own."""
    return _MARKUP.sub(r"\\\1", " ".join(said.split()))


def document(report: Report) -> dict[str, Any]:
    """The report for a program."""
    recorded = report.recorded
    return {
        "at": time_text(report.at),
        "policies": list(report.policies),
        "objects": report.objects,
        "frameworks": [
            {
                "name": framework.name,
                "title": framework.title,
                "version": framework.version,
                "url": framework.url,
                "controls": [_control(control) for control in framework.controls],
            }
            for framework in report.frameworks
        ],
        "exceptions": [_exception(one) for one in report.exceptions],
        "record": None if recorded is None else _record(recorded),
    }


def _record(recorded: Recorded) -> dict[str, Any]:
    return {
        "entries": recorded.entries,
        "head": recorded.head,
        "lastAt": recorded.last_at,
        "isAll": recorded.is_all,
        "gaps": [
            {"since": one.since, "until": one.until, "why": one.why, "lost": one.lost}
            for one in recorded.gaps
        ],
        "unnamed": dict(sorted(recorded.unnamed.items())),
    }


def _control(control: Control) -> dict[str, Any]:
    return {
        "id": control.id,
        "title": control.title,
        "state": control.state.value,
        "why": control.why_no_evidence if control.state is State.NO_EVIDENCE else "",
        "rulesTurnedOff": list(control.off),
        "rules": [
            {
                "id": one.rule.id,
                "policy": one.policy,
                "mode": one.rule.mode.value,
                "state": one.state.value,
                "notEnforced": one.why_not_enforced,
                "notApplicable": one.others,
                "verdicts": [_verdict(it) for it in one.judged],
            }
            for one in control.rules
        ],
    }


def _verdict(one: Judged) -> dict[str, Any]:
    exemption = one.verdict.exemption
    return {
        "kind": one.object.kind,
        "namespace": one.object.namespace,
        "name": one.object.name,
        "digest": one.object.digest,
        "outcome": one.verdict.outcome.value,
        "message": one.verdict.message,
        "exception": exemption.id if exemption is not None else "",
    }


def _exception(one: LiveException) -> dict[str, Any]:
    it = one.exemption
    return {
        "policy": one.policy,
        "id": it.id,
        "rules": sorted(it.rules),
        "for": scope(it),
        "until": it.until_text,
        "reason": it.reason,
        "ticket": it.ticket,
        "approvedBy": it.approved_by,
    }

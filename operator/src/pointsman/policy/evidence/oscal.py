"""A report as assessment results of OSCAL, the Open Security Controls Assessment Language of NIST.

OSCAL knows satisfied and not satisfied alone. Only what passes is satisfied; why another control is not is in
the status' reason and remarks: fail, or other, with the words that the report uses (exempt, not enforced, no
evidence). The same report is the same document, identifiers too.
"""

import re
from typing import Any
from uuid import UUID, uuid5

from pointsman.policy.evidence.bodies import scope
from pointsman.policy.evidence.canonical import digest
from pointsman.policy.evidence.judged import Judged, Object
from pointsman.policy.evidence.record import time_text
from pointsman.policy.evidence.report import Control, Framework, LiveException, Report, RuleFound, State
from pointsman.policy.evidence.shown import document, said

OSCAL_VERSION = "1.2.1"
NAMESPACE = "https://pointsman.dev/ns/oscal"
_FAMILY = UUID("6f1c0bd0-6a54-5d0c-9d7e-3c2b5f6a9e10")
_PLAIN = re.compile(r"[A-Za-z0-9.()\- ]+")
_NO_TOKEN = re.compile(r"[^A-Za-z0-9.]+")

Json = dict[str, Any]


def assessment_results(report: Report, version: str) -> Json:
    """The document; `version` is that of Pointsman."""
    seed = digest(document(report))
    plan = _uuid(seed, "plan")
    return {
        "assessment-results": {
            "uuid": _uuid(seed, "document"),
            "metadata": {
                "title": "Compliance of a fleet of language models",
                "last-modified": time_text(report.at),
                "version": seed[:16],
                "oscal-version": OSCAL_VERSION,
                "props": [_property("tool", f"pointsman {version}")],
            },
            "import-ap": {
                "href": f"#{plan}",
                "remarks": "There is no assessment plan of its own: the policies say what is looked at.",
            },
            "results": [_result(framework, report, seed) for framework in report.frameworks],
            "back-matter": {
                "resources": [
                    {
                        "uuid": plan,
                        "title": "Policies that the objects were judged by",
                        "description": ", ".join(report.policies) or "none",
                    }
                ]
            },
        }
    }


def control_id(framework: str, control: str) -> str:
    """A control's name as OSCAL lets one be written: `eu-ai-act_Art.-26-6`."""
    plain = f"{_NO_TOKEN.sub('-', framework)}_{_NO_TOKEN.sub('-', control).strip('-.')}"
    token = plain if plain[0].isalpha() else f"_{plain}"
    is_plain = all(_PLAIN.fullmatch(one) for one in (framework, control))
    return token if is_plain else f"{token}_{digest([framework, control])[:8]}"


def _uuid(*parts: str) -> str:
    return str(uuid5(_FAMILY, "\n".join(parts)))


def _property(name: str, value: str) -> Json:
    return {"name": name, "ns": NAMESPACE, "value": _line(value) or "-"}


def _line(text: str) -> str:
    return " ".join(text.split())


def _result(framework: Framework, report: Report, seed: str) -> Json:
    place = f"{seed}/{framework.name}"
    found = {
        (one.policy, one.rule.id): one
        for control in framework.controls
        for one in control.rules
        if not one.why_not_enforced
    }
    judged = [(one, it) for one in found.values() for it in one.judged]
    objects = sorted({it.object for _, it in judged})
    rules = {one.rule.id for control in framework.controls for one in control.rules}
    live = [one for one in report.exceptions if one.exemption.rules & rules]
    result: Json = {
        "uuid": _uuid(place),
        "title": _line(framework.title),
        "description": f"Objects judged by rules that speak to controls of {_line(framework.title)}.",
        "start": time_text(report.at),
        "end": time_text(report.at),
        "reviewed-controls": {"control-selections": [_selection(framework)]},
    }
    if report.recorded is not None:
        result["props"] = [
            _property("record-entries", str(report.recorded.entries)),
            _property("record-head", report.recorded.head),
        ]
    several: dict[str, list[Json]] = {
        "observations": [_observation(one, it, report, place) for one, it in judged],
        "risks": [_risk(one, place) for one in live],
        "findings": [_finding(framework, control, live, place) for control in framework.controls],
    }
    if objects:
        result["local-definitions"] = {"inventory-items": [_item(one, place) for one in objects]}
    return {**result, **{name: listed for name, listed in several.items() if listed}}


def _selection(framework: Framework) -> Json:
    return {
        "description": f"{_line(framework.name)}, {_line(framework.version)}",
        "include-controls": [
            {"control-id": control_id(framework.name, control.id)} for control in framework.controls
        ],
    }


def _item(one: Object, place: str) -> Json:
    return {
        "uuid": _uuid(place, "object", str(one), one.digest),
        "description": str(one),
        "props": [_property("sha256", one.digest)],
    }


def _observation_id(one: RuleFound, it: Judged, place: str) -> str:
    return _uuid(place, "observation", one.policy, one.rule.id, str(it.object), it.object.digest)


def _observation(one: RuleFound, it: Judged, report: Report, place: str) -> Json:
    outcome = it.verdict.outcome.value
    return {
        "uuid": _observation_id(one, it, place),
        "title": f"{one.rule.id}: {_line(one.rule.title)}",
        "description": f"{outcome}: {_line(it.verdict.message)}" if it.verdict.message else outcome,
        "props": [
            _property("policy", one.policy),
            _property("rule", one.rule.id),
            _property("mode", one.rule.mode.value),
            _property("outcome", outcome),
        ],
        "methods": ["TEST"],
        "types": ["control-objective"],
        "subjects": [
            {
                "subject-uuid": _uuid(place, "object", str(it.object), it.object.digest),
                "type": "inventory-item",
                "title": str(it.object),
            }
        ],
        "collected": time_text(report.at),
    }


def _risk_id(one: LiveException, place: str) -> str:
    return _uuid(place, "exception", one.policy, one.exemption.id)


def _risk(one: LiveException, place: str) -> Json:
    """An exception: a deviation that somebody approved, until its end."""
    it = one.exemption
    props = [
        _property("policy", one.policy),
        _property("exception", it.id),
        _property("approved-by", it.approved_by),
        *(_property("rule", rule) for rule in sorted(it.rules)),
        *([_property("ticket", it.ticket)] if it.ticket else []),
    ]
    return {
        "uuid": _risk_id(one, place),
        "title": f"Exception {_line(it.id)}",
        "description": f"{', '.join(sorted(it.rules))} for {scope(it)}",
        "statement": it.reason,
        "props": props,
        "status": "deviation-approved",
        "deadline": time_text(it.until),
    }


def _finding(framework: Framework, control: Control, live: list[LiveException], place: str) -> Json:
    state = control.state
    held = [one for one in control.rules if not one.why_not_enforced]
    observed = [_observation_id(one, it, place) for one in held for it in one.judged]
    rules = {one.rule.id for one in control.rules}
    risks = [_risk_id(one, place) for one in live if one.exemption.rules & rules]
    satisfied = state is State.PASS
    remarks = control.why_no_evidence if state is State.NO_EVIDENCE else _rules(control)
    finding: Json = {
        "uuid": _uuid(place, "finding", control.id),
        "title": _line(f"{control.id} {control.title}"),
        "description": f"{state}: {remarks}",
        "target": {
            "type": "objective-id",
            "target-id": control_id(framework.name, control.id),
            "status": {
                "state": "satisfied" if satisfied else "not-satisfied",
                "reason": state.value if state in (State.PASS, State.FAIL) else "other",
                "remarks": state.value,
            },
        },
    }
    if observed:
        finding["related-observations"] = [{"observation-uuid": one} for one in observed]
    if risks:
        finding["related-risks"] = [{"risk-uuid": one} for one in risks]
    return finding


def _rules(control: Control) -> str:
    return "; ".join(f"{one.rule.id}: {said(one)}" for one in control.rules)

"""What a control's state is, and that nothing passes without an object that its rules are for."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from pointsman.api.guardrailpolicy import PolicyKind
from pointsman.errors import PointsmanError
from pointsman.policy.compiled import BoundRule, compile_policy
from pointsman.policy.evidence import shown
from pointsman.policy.evidence.judged import judged
from pointsman.policy.evidence.page import html
from pointsman.policy.evidence.record import BEFORE_THE_FIRST
from pointsman.policy.evidence.report import Control, Recorded, Report, RuleFound, State, report
from pointsman.policy.packs import Library, read_library, shipped_library
from tests.support.policies import guardrail_policy

Json = dict[str, Any]

AT = datetime(2026, 12, 1, tzinfo=UTC)
PACK = {"title": "Example", "description": "For tests."}
FRAMEWORKS = {
    "acme": {
        "title": "Acme <Controls>",
        "version": "1",
        "url": "https://acme.example",
        "controls": {"A-1": "Licences | terms", "A-2": "Replicas", "A-9": "Nothing of ours"},
    }
}
LICENSED = {
    "ModelDeployment": {"when": "object.metadata.namespace != 'lab'", "holds": "has(object.spec.license)"}
}
BROKEN = {"ModelDeployment": {"holds": "int(object.metadata.name) > 3"}}


def rule(id_: str, *controls: str, **stated: Any) -> Json:
    example = [{"why": "it is", "object": {"kind": "ModelDeployment"}}]
    held = (
        {"checks": LICENSED, "passes": example, "fails": example}
        if not stated.keys()
        & {
            "background",
            "runtime",
            "checks",
        }
        else {"passes": example, "fails": example}
        if "checks" in stated
        else {}
    )
    return {
        "id": id_,
        "title": "Models have a licence",
        "severity": "high",
        "message": "there is no licence",
        "todo": "state spec.license",
        "why": "It is the law.",
        "controls": {"acme": list(controls)},
        "source": [],
        **held,
        **stated,
    }


def library(*rules: Json) -> Library:
    files = {f"example/{one['id']}.yaml": yaml.safe_dump(one) for one in rules}
    return read_library(
        {"example/pack.yaml": yaml.safe_dump(PACK), "frameworks.yaml": yaml.safe_dump(FRAMEWORKS), **files}
    )


def model(name: str, namespace: str = "team", **spec: Any) -> Json:
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


GOOD = model("good", license="mit")
BAD = model("bad")
IN_THE_LAB = model("tried", "lab")

EXCEPTION = {
    "id": "EXC-1",
    "rules": ["EX-01"],
    "match": {"names": ["bad"]},
    "until": "2027-01-31T00:00:00Z",
    "reason": "the licence is being asked for",
    "approvedBy": "legal",
}


def reported(
    known: Library, objects: list[Json], *chosen: str, recorded: Recorded | None = None, **spec: Any
) -> Report:
    stated = guardrail_policy({"packs": [{"name": "example"}], **spec})
    policies = [compile_policy(stated, known)]
    assert policies[0].problems == ()
    found = [
        one
        for obj in objects
        for one in judged(
            policies,
            PolicyKind.MODEL_DEPLOYMENT,
            obj,
            {"metadata": {"name": obj["metadata"]["namespace"]}},
            AT,
        )
    ]
    return report(policies, found, known, chosen, AT, recorded)


def control(made: Report, id_: str = "A-1") -> Control:
    (framework,) = made.frameworks
    (found,) = [one for one in framework.controls if one.id == id_]
    return found


LICENCES = library(rule("EX-01", "A-1"))


@pytest.mark.parametrize(
    ("objects", "exceptions", "state"),
    [
        ([GOOD], [], State.PASS),
        ([GOOD, IN_THE_LAB], [], State.PASS),
        ([IN_THE_LAB], [], State.NO_EVIDENCE),
        ([], [], State.NO_EVIDENCE),
        ([GOOD, BAD], [], State.FAIL),
        ([GOOD, BAD], [EXCEPTION], State.EXEMPT),
        ([GOOD, BAD], [{**EXCEPTION, "until": "2026-11-30T00:00:00Z"}], State.FAIL),
        ([GOOD, BAD, model("worse")], [EXCEPTION], State.FAIL),
    ],
)
def test_a_control_is_what_its_objects_say(objects: list[Json], exceptions: list[Json], state: State) -> None:
    assert control(reported(LICENCES, objects, exceptions=exceptions)).state is state


@pytest.mark.parametrize(
    ("stated", "why"),
    [
        ({"runtime": "piiFilter"}, "its detector at run time, piiFilter, is not there yet"),
        ({"background": "quotas", "unseen": "nobody counts"}, "nobody counts"),
        ({"checks": LICENSED, "waitsFor": "spec.limits"}, "nothing acts upon spec.limits yet"),
    ],
)
def test_what_is_not_held_is_no_pass(stated: Json, why: str) -> None:
    known = library(rule("EX-01", "A-1"), rule("EX-02", "A-1", "A-2", **stated))
    made = reported(known, [GOOD])
    assert control(made).state is State.NOT_ENFORCED
    assert control(made, "A-2").state is State.NOT_ENFORCED
    assert f"not enforced: {why}" in shown.text(made)
    assert control(reported(known, [BAD])).state is State.FAIL


def test_a_rule_that_cannot_be_evaluated_fails() -> None:
    made = reported(library(rule("EX-01", "A-1", checks=BROKEN)), [GOOD])
    assert control(made).state is State.FAIL
    assert "the rule could not be evaluated" in shown.markdown(made)


def test_a_control_without_a_rule_says_which_would_speak_to_it() -> None:
    known = library(rule("EX-01", "A-1"), rule("EX-02", "A-2"))
    made = reported(known, [GOOD], packs=[{"name": "example", "exclude": ["EX-02"]}])
    assert control(made, "A-2").state is State.NO_EVIDENCE
    lines = shown.text(made).splitlines()
    assert "A-2  no evidence   no rule that is turned on speaks to it (EX-02 would)" in lines
    assert "A-9  no evidence   no rule that is turned on speaks to it" in lines
    assert "3 controls: 1 pass, 2 no evidence" in lines


def test_rules_and_controls_of_ones_own_are_reported() -> None:
    own = {
        "id": "HOUSE-1",
        "kinds": ["ModelDeployment"],
        "expression": "has(object.spec.license)",
        "message": "state spec.license",
        "controls": ["acme:A-1", "acme:A-10", "B-1"],
    }
    made = reported(LICENCES, [GOOD], packs=[], rules=[own])
    assert [(one.name, [it.id for it in one.controls if it.rules]) for one in made.frameworks] == [
        ("acme", ["A-1", "A-10"]),
        ("own", ["B-1"]),
    ]


def test_a_framework_that_nothing_knows_is_refused() -> None:
    with pytest.raises(PointsmanError, match="there is no framework iso; there are acme"):
        reported(LICENCES, [GOOD], "iso")


def test_exceptions_of_other_rules_are_no_part_of_it() -> None:
    own = {"id": "HOUSE-1", "kinds": ["Pod"], "expression": "true", "message": "never"}
    other = {**EXCEPTION, "id": "EXC-2", "rules": ["HOUSE-1"]}
    made = reported(LICENCES, [BAD], rules=[own], exceptions=[EXCEPTION, other])
    assert [one.exemption.id for one in made.exceptions] == ["EXC-1"]
    assert "1 exception lives: EXC-1 (EX-01, */bad, ends in 61 days, approved by legal)" in shown.text(made)


def test_a_record_is_told_by_its_verdicts() -> None:
    recorded = Recorded(9, BEFORE_THE_FIRST, {("house", "EX-01"): 4})
    said = shown.text(reported(LICENCES, [GOOD], recorded=recorded))
    assert "EX-01  1 of 1 pass; evidence: 4 records" in said
    assert f"record: 9 entries, chain verified, head {BEFORE_THE_FIRST}" in said


def test_pages_show_what_they_hold_as_text() -> None:
    made = reported(LICENCES, [model("<b>bad</b>|x")])
    assert "Licences \\| terms" in shown.markdown(made)
    assert "\\<b\\>bad\\</b\\>\\|x" in shown.markdown(made)
    assert "&lt;b&gt;bad&lt;/b&gt;|x" in html(made)
    assert "<b>" not in html(made)
    assert "Acme &lt;Controls&gt;" in html(made)
    assert 'class="state fail">fail<' in html(made)


def test_a_document_has_each_verdict() -> None:
    (framework,) = shown.document(reported(LICENCES, [GOOD, IN_THE_LAB]))["frameworks"]
    (said,) = framework["controls"][0]["rules"]
    assert said["state"] == "pass"
    assert said["notApplicable"] == 1
    assert [one["name"] for one in said["verdicts"]] == ["good"]


def test_what_only_a_cluster_shows_is_not_enforced_in_a_report_of_files() -> None:
    (bound,) = reported_rules("REL-02-PDB", "reliability")
    assert "was not known here" in RuleFound("house", bound, (), 0).why_not_enforced
    assert RuleFound("house", bound, (), 1).why_not_enforced == "", "it was looked for"
    former = replace(bound, background="aLookOfAnotherVersion")
    assert RuleFound("house", former, (), 0).why_not_enforced == ""


def reported_rules(rule_id: str, pack: str) -> tuple[BoundRule, ...]:
    others = [name for name in shipped_library().packs[pack].rules if name != rule_id]
    stated = guardrail_policy({"packs": [{"name": pack, "exclude": others}]})
    return compile_policy(stated, shipped_library()).rules

"""The OSCAL document: what the schema of assessment results asks for, references that lead somewhere, and the
same bytes for the same report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError
from trestle.oscal.assessment_results import Model

from pointsman.policy.evidence.canonical import canonical
from pointsman.policy.evidence.oscal import assessment_results, control_id
from pointsman.policy.evidence.record import BEFORE_THE_FIRST
from pointsman.policy.evidence.report import Recorded
from pointsman.policy.packs import shipped_library
from tests.unit.policy.evidence.test_report import BAD, EXCEPTION, GOOD, LICENCES, library, reported, rule

Json = dict[str, Any]

TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")


def made(**changes: Any) -> Json:
    known = library(
        rule("EX-01", "A-1"),
        rule("EX-02", "A-2", runtime="piiFilter"),
        rule("EX-03", "A-1", background="q", unseen="nobody knows"),
    )
    report = reported(known, [GOOD, BAD], exceptions=[{**EXCEPTION, "ticket": "OPS-1"}], **changes)
    document: Json = assessment_results(report, "0.1")
    return document


def parts(value: Any, name: str = "") -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        if name:
            yield name, value
        for key, member in value.items():
            yield from parts(member, key)
    elif isinstance(value, list):
        assert value, f"{name} is an empty list"
        for member in value:
            yield from parts(member, name)


def test_it_is_assessment_results_by_the_schema_of_oscal() -> None:
    document = made(recorded=Recorded(3, BEFORE_THE_FIRST, {}))
    Model.model_validate_json(json.dumps(document))
    assert len(document["assessment-results"]["results"][0]["findings"]) == 3


@pytest.mark.parametrize("outcome", ["pass", "fail"])
def test_every_framework_that_we_know_is_so_too(outcome: str) -> None:
    known = shipped_library()
    packs = [{"name": name} for name in known.packs]
    objects = [GOOD if outcome == "pass" else BAD]
    document = assessment_results(reported(known, objects, packs=packs), "0.1")
    assert len(document["assessment-results"]["results"]) == len(known.frameworks)
    Model.model_validate_json(json.dumps(document))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("results", 0, "verdict"), "pass"),
        (("results", 0, "findings", 0, "target", "target-id"), "Art. 5"),
        (("results", 0, "findings", 0, "target", "status", "state"), "exempt"),
        (("results", 0, "start"), "2026-12-01"),
    ],
)
def test_the_schema_refuses_what_is_not_of_it(place: tuple[str | int, ...], value: str) -> None:
    document = made()
    part: Any = document["assessment-results"]
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    with pytest.raises(ValidationError):
        Model.model_validate_json(json.dumps(document))


def test_references_lead_somewhere() -> None:
    document = made()
    own = [part["uuid"] for _, part in parts(document) if "uuid" in part]
    assert len(set(own)) == len(own)
    referred = {
        value
        for _, part in parts(document)
        for key, value in part.items()
        if key.endswith("-uuid") and isinstance(value, str)
    }
    assert referred
    assert referred <= set(own)
    assert document["assessment-results"]["import-ap"]["href"].removeprefix("#") in own
    (result,) = document["assessment-results"]["results"]
    selected = {
        one["control-id"] for one in result["reviewed-controls"]["control-selections"][0]["include-controls"]
    }
    assert {one["target"]["target-id"] for one in result["findings"]} == selected


def test_only_a_pass_is_satisfied() -> None:
    def states(document: Json) -> dict[str, tuple[str, str, str]]:
        (result,) = document["assessment-results"]["results"]
        found = {one["title"].split()[0]: one["target"]["status"] for one in result["findings"]}
        return {title: (one["state"], one["reason"], one["remarks"]) for title, one in found.items()}

    assert states(made()) == {
        "A-1": ("not-satisfied", "other", "exempt"),
        "A-2": ("not-satisfied", "other", "not enforced"),
        "A-9": ("not-satisfied", "other", "no evidence"),
    }
    passed = states(assessment_results(reported(LICENCES, [GOOD]), "0.1"))
    failed = states(assessment_results(reported(LICENCES, [BAD]), "0.1"))
    assert passed["A-1"] == ("satisfied", "pass", "pass")
    assert failed["A-1"] == ("not-satisfied", "fail", "fail")


def test_an_exception_is_a_risk_with_its_end() -> None:
    (result,) = made()["assessment-results"]["results"]
    (risk,) = result["risks"]
    assert (risk["status"], risk["deadline"]) == ("deviation-approved", "2027-01-31T00:00:00Z")
    assert {"approved-by": "legal", "ticket": "OPS-1"}.items() <= {
        one["name"]: one["value"] for one in risk["props"]
    }.items()
    assert risk["uuid"] in json.dumps(result["findings"])


def test_the_same_report_is_the_same_document() -> None:
    assert canonical(made()) == canonical(made())
    one = made()["assessment-results"]
    other = made(recorded=Recorded(3, BEFORE_THE_FIRST, {}))["assessment-results"]
    assert one["uuid"] != other["uuid"]


def test_every_control_that_we_know_has_an_identifier_of_its_own() -> None:
    ids = [
        control_id(name, control)
        for name, framework in shipped_library().frameworks.items()
        for control in framework.controls
    ]
    assert len(set(ids)) == len(ids)
    assert all(TOKEN.fullmatch(one) for one in ids)
    assert control_id("eu-ai-act", "Art. 26(6)") == "eu-ai-act_Art.-26-6"


@pytest.mark.parametrize("control", ["第四条", "a/b", "1", ""])
def test_controls_of_ones_own_have_one_too(control: str) -> None:
    assert TOKEN.fullmatch(control_id("27001", control))
    assert control_id("27001", control) != control_id("27001", "a b")

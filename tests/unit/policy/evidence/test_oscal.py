"""The OSCAL document: members that the model of assessment results knows, references that lead somewhere, the
same bytes for the same report.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from pointsman.policy.evidence.oscal import assessment_results, control_id
from pointsman.policy.evidence.record import BEFORE_THE_FIRST, canonical
from pointsman.policy.evidence.report import Recorded
from pointsman.policy.packs import shipped_library
from tests.unit.policy.evidence.test_report import BAD, EXCEPTION, GOOD, LICENCES, library, reported, rule

Json = dict[str, Any]

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TOKEN = re.compile(r"[A-Za-z_][A-Za-z0-9._-]*")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
# What each part must have, then what it may have, of https://pages.nist.gov/OSCAL-Reference/models/v1.2.1/
PARTS: dict[str, tuple[set[str], set[str]]] = {
    "assessment-results": (
        {"uuid", "metadata", "import-ap", "results"},
        {"local-definitions", "back-matter"},
    ),
    "metadata": ({"title", "last-modified", "version", "oscal-version"}, {"props", "links", "parties"}),
    "import-ap": ({"href"}, {"remarks"}),
    "results": (
        {"uuid", "title", "description", "start", "reviewed-controls"},
        {"end", "props", "local-definitions", "observations", "risks", "findings", "remarks"},
    ),
    "local-definitions": (set(), {"components", "inventory-items", "users", "assessment-assets", "tasks"}),
    "inventory-items": ({"uuid", "description"}, {"props", "links", "remarks"}),
    "reviewed-controls": ({"control-selections"}, {"description", "props", "links", "remarks"}),
    "control-selections": ({"include-controls"}, {"description", "props", "links", "remarks"}),
    "include-controls": ({"control-id"}, {"statement-ids"}),
    "observations": (
        {"uuid", "description", "methods", "collected"},
        {"title", "props", "types", "subjects", "relevant-evidence", "expires", "remarks"},
    ),
    "subjects": ({"subject-uuid", "type"}, {"title", "props", "links", "remarks"}),
    "findings": (
        {"uuid", "title", "description", "target"},
        {"props", "related-observations", "related-risks", "remarks"},
    ),
    "target": ({"type", "target-id", "status"}, {"title", "description", "props", "remarks"}),
    "status": ({"state"}, {"reason", "remarks"}),
    "related-observations": ({"observation-uuid"}, set()),
    "related-risks": ({"risk-uuid"}, set()),
    "risks": ({"uuid", "title", "description", "statement", "status"}, {"props", "links", "deadline"}),
    "props": ({"name", "value"}, {"uuid", "ns", "class", "group", "remarks"}),
    "back-matter": (set(), {"resources"}),
    "resources": ({"uuid"}, {"title", "description", "props", "remarks"}),
}


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


def test_every_part_has_what_oscal_asks_for_and_nothing_that_it_does_not_know() -> None:
    found = list(parts(made(recorded=Recorded(3, BEFORE_THE_FIRST, {}))))
    assert {name for name, _ in found} == PARTS.keys()
    for name, part in found:
        required, allowed = PARTS[name]
        assert required <= part.keys() <= required | allowed, name


def test_identifiers_and_times_are_written_as_oscal_has_them() -> None:
    for name, part in parts(made()):
        for key, value in part.items():
            if key.endswith("uuid"):
                assert UUID.fullmatch(value), (name, key)
            if key in ("control-id", "target-id", "type", "name", "reason") or (name, key) == (
                "risks",
                "status",
            ):
                assert TOKEN.fullmatch(value), (name, key, value)
            if key in ("start", "end", "collected", "deadline", "last-modified"):
                assert TIME.fullmatch(value), (name, key)
            if key in ("title", "value"):
                assert re.fullmatch(r"\S(.*\S)?", value), (name, key)


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

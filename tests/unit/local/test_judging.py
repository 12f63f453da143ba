"""Guardrail policies among the files: what is new or changed is held to them, what is there is told of."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pointsman.api import ObjectKey
from pointsman.api.guardrailpolicy import GuardrailPolicyStatus
from pointsman.local.display.terminal import GOOD, policy_line
from pointsman.local.files.folder import Folder, Objects
from pointsman.local.files.judging import Judge
from pointsman.local.status.policy_status import policy_status
from tests.support import manifests
from tests.support.builders import key
from tests.support.manifests import Json
from tests.unit.local.test_folder import Files, changed, edited

MODEL = manifests.deployment("a", engine="llama.cpp", source="file://./a.gguf", replicas=3)
HOUSE = ObjectKey("", "house")
_START = datetime(2026, 11, 22, tzinfo=UTC)


def policy(mode: str = "enforce", **spec: object) -> Json:
    few = {
        "id": "few",
        "kinds": ["ModelDeployment"],
        "expression": "object.spec.replicas <= 2",
        "message": "too many replicas; state at most 2",
    }
    return {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "GuardrailPolicy",
        "metadata": {"name": "house"},
        "spec": {"mode": mode, "rules": [few], **spec},
    }


class _Clock:
    def __init__(self) -> None:
        self.now = _START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def files(tmp_path: Path, clock: _Clock) -> Files:
    made = Files(tmp_path, {})
    made.folder = Folder([tmp_path], {}, judge=Judge(clock))
    return made


def said(objects: Objects) -> list[tuple[str, str, str]]:
    """Severity, rule and message of what rules say."""
    return [(one.severity, one.rule_id, one.what) for one in objects.findings if one.rule_id]


def test_what_is_new_is_refused_until_it_is_mended(files: Files) -> None:
    files.write("policy.yaml", policy())
    files.write("a.yaml", MODEL)
    objects = files.folder.read()
    assert said(objects) == [("error", "few", "too many replicas; state at most 2")]
    assert objects.deployments == {}
    assert objects.refused["ModelDeployment", key("a")].rule_id == "few"
    # What was not taken is not there to be counted.
    assert objects.judged[HOUSE].violations.total == 0
    files.write("a.yaml", edited(MODEL, replicas=2))
    objects = changed(files)
    assert (said(objects), set(objects.deployments)) == ([], {key("a")})


def test_what_is_there_is_told_of_and_may_not_become_worse(files: Files) -> None:
    files.write("a.yaml", MODEL)
    files.folder.read()
    files.write("policy.yaml", policy())
    objects = changed(files)
    assert said(objects) == [("warning", "few", "too many replicas; state at most 2")]
    assert (set(objects.deployments), dict(objects.refused)) == ({key("a")}, {})
    (found,) = objects.judged[HOUSE].violations.objects
    assert (found.kind, found.namespace, found.name, found.rule) == ("ModelDeployment", "default", "a", "few")
    line = policy_line(objects.policies[HOUSE], objects.judged[HOUSE])
    assert (line.mark, line.subject, line.text) == (GOOD, "policy house", "enforce, 1 rule, 1 violation")
    files.write("a.yaml", edited(MODEL, replicas=4))
    objects = changed(files)
    assert objects.refused["ModelDeployment", key("a")].rule_id == "few"
    assert objects.deployments[key("a")].spec.replicas == 3
    files.write("a.yaml", edited(MODEL, replicas=1))
    objects = changed(files)
    assert (said(objects), objects.deployments[key("a")].spec.replicas) == ([], 1)


@pytest.mark.parametrize("mode", ["warn", "audit"])
def test_a_policy_that_does_not_enforce_refuses_nothing(files: Files, mode: str) -> None:
    files.write("all.yaml", policy(mode), MODEL)
    objects = files.folder.read()
    assert [severity for severity, _, _ in said(objects)] == ["warning"]
    assert set(objects.deployments) == {key("a")}
    assert objects.judged[HOUSE].violations.total == 1


def test_an_exception_ends_by_itself(files: Files, clock: _Clock) -> None:
    until = _START + timedelta(hours=1)
    exception = {
        "id": "launch",
        "rules": ["few"],
        "match": {"names": ["a"]},
        "until": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": "the launch",
        "approvedBy": "someone@example.com",
    }
    files.write("all.yaml", policy(exceptions=[exception]), MODEL)
    objects = files.folder.read()
    assert (said(objects), set(objects.deployments)) == ([], {key("a")})
    assert (objects.judged[HOUSE].exceptions.active, objects.judged[HOUSE].exceptions.expired) == (1, 0)
    assert files.settled() is None
    clock.now = until
    objects = changed(files)
    # It was admitted: it runs on, and is said to break the rule.
    assert ([severity for severity, _, _ in said(objects)], set(objects.deployments)) == (
        ["warning"],
        {key("a")},
    )
    assert (objects.judged[HOUSE].exceptions.active, objects.judged[HOUSE].exceptions.expired) == (0, 1)
    assert files.settled() is None


def test_a_broken_rule_is_said_and_the_others_hold(files: Files) -> None:
    broken = {**policy()["spec"]["rules"][0], "id": "odd", "expression": "object.spec.nothing == 1"}
    both = policy(rules=[*policy()["spec"]["rules"], broken])
    files.write("all.yaml", both, MODEL)
    objects = files.folder.read()
    assert objects.deployments == {}
    problem = objects.judged[HOUSE].compiled.message
    assert "nothing" in problem
    assert "more)" not in problem
    status = policy_status(
        objects.policies[HOUSE], objects.judged[HOUSE], GuardrailPolicyStatus(), "2026-11-22T00:00:00Z"
    )
    by_type = {one["type"]: (one["status"], one["reason"]) for one in status["conditions"]}
    assert by_type == {
        "Compiled": ("False", "BrokenRule"),
        "Enforced": ("True", "Enforced"),
        "Ready": ("False", "BrokenRule"),
    }


def test_a_pack_holds_here_too(files: Files) -> None:
    files.write("all.yaml", {**policy(), "spec": {"mode": "warn", "packs": [{"name": "cost"}]}})
    files.write("a.yaml", MODEL)
    objects = files.folder.read()
    assert objects.judged[HOUSE].rules > 5
    assert objects.judged[HOUSE].violations.total == len(said(objects)) > 0

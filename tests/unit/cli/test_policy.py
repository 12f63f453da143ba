"""`pointsman policy`, and what `validate` says by policies; the example and its page are held to both."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import yaml

from pointsman.cli.main import main

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "compliance"


@pytest.fixture
def at_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_the_page_shows_what_validate_prints(at_root: None, capsys: pytest.CaptureFixture[str]) -> None:
    command = [
        "validate",
        "examples/compliance/models/refused.yaml",
        "--policies",
        "examples/compliance/policies",
    ]

    assert main(command) == 1

    printed = capsys.readouterr().out
    page = (ROOT / "operator/docs/policies.md").read_text("utf-8")
    assert f"$ pointsman {' '.join(command)}\n{printed}```" in page


def test_the_mended_model_passes(at_root: None) -> None:
    assert (
        main(["validate", str(EXAMPLE / "models/admitted.yaml"), "--policies", str(EXAMPLE / "policies")])
        == 0
    )


def test_tests_of_a_team_are_run_and_written_for_a_ci(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "out" / "policies.xml"

    assert main(["policy", "test", str(EXAMPLE / "tests/house.yaml"), "--junit", str(report)]) == 0

    assert "4 passed, 0 failed" in capsys.readouterr().out
    assert ET.parse(report).getroot()[0].attrib["tests"] == "4"


def test_a_test_that_fails_says_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tests = yaml.safe_load((EXAMPLE / "tests/house.yaml").read_text("utf-8"))
    tests["policies"] = [str(EXAMPLE / "policies")]
    tests["tests"] = [{**tests["tests"][0], "violates": ["SUP-07"]}]
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests))

    assert main(["policy", "test", str(file)]) == 1

    said = capsys.readouterr().out
    assert 'breaks SUP-06: revision "main"' in said
    assert "does not break SUP-07" in said


def test_a_policy_that_names_what_is_not_there_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = {
        "apiVersion": "pointsman.dev/v1alpha1",
        "kind": "GuardrailPolicy",
        "metadata": {"name": "house"},
        "spec": {"packs": [{"name": "supply", "parameters": {}}]},
    }
    file = tmp_path / "policy.yaml"
    file.write_text(yaml.safe_dump(policy))

    assert main(["validate", str(file)]) == 1

    assert "spec.packs[0]: there is no pack supply; there are baseline-security" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("policies: [nowhere]\ntests: [{name: a, object: {}}]", "no such file or folder"),
        ("tests: []", "policies: is required; add it"),
        ("policies: [a", ":1: not YAML: did not find expected ',' or ']'; close the list with ]"),
        ("policies: [\xff", "no UTF-8 text"),
        ("- policies", ": is not one mapping; begin with policies and tests"),
        ("", ": is not one mapping; begin with policies and tests"),
        ("policies: [p]\ntests: [{name: a, objct: {}}]", ": tests[0].object: is required; add it"),
    ],
)
def test_a_broken_file_of_tests_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, why: str
) -> None:
    file = tmp_path / "tests.yaml"
    file.write_text(content, encoding="latin-1")

    assert main(["policy", "test", str(file)]) == 1

    said = capsys.readouterr().err
    assert why in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "stated",
    [{"metadata": 5}, {"metadata": {"labels": [1]}}, {"metadata": {"annotations": "a"}}, {"spec": 3}],
)
def test_an_object_that_is_none_fails_its_test_in_words_that_a_report_can_hold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], stated: dict[str, object]
) -> None:
    one = {"name": "a\x01b", "object": {"kind": "ModelDeployment", **stated}}
    file, report = tmp_path / "tests.yaml", tmp_path / "policies.xml"
    file.write_text(json.dumps({"policies": [str(EXAMPLE / "policies")], "tests": [one]}))

    assert main(["policy", "test", str(file), "--junit", str(report)]) == 1

    assert "is no mapping" in capsys.readouterr().out
    assert ET.parse(report).getroot()[0].attrib["failures"] == "1"


def test_a_policy_that_is_named_twice_says_everything_once(capsys: pytest.CaptureFixture[str]) -> None:
    policies = str(EXAMPLE / "policies")

    assert main(["validate", str(EXAMPLE / "models"), policies, "--policies", policies]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(set(lines))


def test_packs_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "list", "supply-chain"]) == 0
    assert "SUP-06        high      at admission     Model revisions are pinned" in capsys.readouterr().out
    assert main(["policy", "list", "-o", "json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) >= 10
    assert main(["policy", "list", "nothing"]) == 1


def test_what_a_cluster_gets_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "render", str(EXAMPLE / "policies")]) == 0
    objects = list(yaml.safe_load_all(capsys.readouterr().out))
    assert {one["kind"] for one in objects} == {
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
        "MutatingAdmissionPolicy",
        "MutatingAdmissionPolicyBinding",
    }
    assert main(["policy", "render", "--static", str(EXAMPLE / "policies")]) == 0
    static = list(yaml.safe_load_all(capsys.readouterr().out))
    assert all(one["metadata"]["name"].endswith(".static.k8s.io") for one in static)


_BACKGROUND = """\
apiVersion: pointsman.dev/v1alpha1
kind: GuardrailPolicy
metadata: {name: thrift}
spec:
  mode: enforce
  packs: [{name: cost, parameters: {maxNamespaceAccelerators: 3}, exclude: [COST-01, COST-04]}]
"""
_MODEL = """\
---
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: %s, namespace: team%s}
spec: {model: {source: "hf://Qwen/Qwen3-0.6B", contextLength: 4096}, engine: {name: vllm}, replicas: 2}
"""


def test_validate_warns_of_what_files_say_in_the_background(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = ', labels: {pointsman.dev/expires: "2020-01-31"}'
    file = tmp_path / "models.yaml"
    file.write_text(_BACKGROUND + _MODEL % ("chat", "") + _MODEL % ("code", ended))

    main(["validate", str(file)])

    printed = capsys.readouterr().out
    sum_ = "4 accelerators, where 3 are allowed; the largest are chat 2, code 2"
    assert f"warning: ModelDeployment team/chat: {sum_}" in printed
    assert "warning: ModelDeployment team/code: it ended on 2020-01-31" in printed


def test_a_test_of_a_team_may_state_what_is_beside_an_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.yaml").write_text(_BACKGROUND)
    model = yaml.safe_load(_MODEL % ("chat", ""))
    tests = {
        "policies": ["policy.yaml"],
        "tests": [
            {
                "name": "two models are too many",
                "object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}},
                "beside": {"deployments": [model, model]},
                "violates": ["COST-02-SUM"],
            },
            {
                "name": "one is not",
                "object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}},
                "beside": {"deployments": [model]},
            },
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests))

    assert main(["policy", "test", str(file)]) == 0

    assert "2 passed, 0 failed" in capsys.readouterr().out


def test_the_list_says_why_a_rule_is_not_enforced(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "list", "supply-chain", "reliability"]) == 0

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")}
    assert lines["SUP-03"].endswith("(signatures lie in the registry, which nothing of Pointsman asks)")
    assert " in background " in lines["REL-10"]


def test_results_that_cannot_be_written_are_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["policy", "test", str(EXAMPLE / "tests/house.yaml"), "--junit", str(tmp_path)]) == 1

    assert capsys.readouterr().err == f"{tmp_path}: cannot be written (Is a directory)\n"


def test_validate_warns_of_policies_that_contradict_each_other_and_of_limits_that_scaling_passes_by(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = "object.spec.tier == 'brain' || object.spec.replicas <= 4"
    stated = {"kinds": ["ModelDeployment"], "expression": limit, "message": "too many replicas"}
    for name, mode in (("wide", "warn"), ("strict", "enforce")):
        spec = {"mode": mode, "rules": [{"id": "OWN-1", **stated}]}
        policy = {"kind": "GuardrailPolicy", "metadata": {"name": name}, "spec": spec}
        policy["apiVersion"] = "pointsman.dev/v1alpha1"
        (tmp_path / f"{name}.yaml").write_text(json.dumps(policy))

    assert main(["validate", str(tmp_path)]) == 0

    printed = capsys.readouterr().out
    assert "wide: OWN-1: warn here, enforce in policy strict, which wins" in printed
    assert "strict: OWN-1: enforce here wins over warn in policy wide" in printed
    assert "strict: OWN-1 reads replicas, and kubectl scale and autoscalers change them" in printed

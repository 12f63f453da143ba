"""Policies, and what names them, with a mistake: each is said, with the line, and nothing passes unseen."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.cli.main import main
from tests.support.policies import rule

MODEL = Path(__file__).parents[3] / "examples/compliance/models/refused.yaml"
_ENDED = {
    "id": "EXC-1",
    "rules": ["OWN-1"],
    "match": {"names": ["old"]},
    "reason": "a migration",
    "approvedBy": "security",
    "until": "2020-01-01T00:00:00Z",
}


def _policy(folder: Path, **spec: Any) -> Path:
    file = folder / "house.yaml"
    stated = {"kind": "GuardrailPolicy", "metadata": {"name": "house"}, "spec": spec}
    file.write_text(yaml.safe_dump({"apiVersion": "pointsman.dev/v1alpha1", **stated}, sort_keys=False))
    return file


@pytest.mark.parametrize(
    ("spec", "line", "said"),
    [
        (
            {"rules": [rule("OWN-1"), rule("OWN-2", expression="object.spec.licence")]},
            "  - id: OWN-2",
            "spec.rules[1] (OWN-2): undefined field 'licence' not found in object.spec",
        ),
        (
            {"packs": [{"name": "cost", "parameters": {"maxReplicas": "many"}}]},
            "      maxReplicas: many",
            "spec.packs[0].parameters.maxReplicas: must be a whole number",
        ),
        (
            {"packs": [{"name": "supply-chain", "parameters": {"sources": ["hf://a/", "hf://b/"]}}]},
            "      sources:",
            "spec.packs[0].parameters.sources: must be text with commas between its items",
        ),
        (
            {"rules": [rule("OWN-1")], "exceptions": [{**_ENDED, "rules": ["OWN-9"]}]},
            "    rules:",
            "spec.exceptions[0].rules: rule OWN-9 is not one of this policy",
        ),
    ],
)
def test_a_mistake_in_a_policy_is_said_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spec: dict[str, Any], line: str, said: str
) -> None:
    file = _policy(tmp_path, **spec)

    assert main(["policy", "render", str(file)]) == 1

    number = file.read_text().splitlines().index(line) + 1
    assert f"{file}:{number}: GuardrailPolicy house: {said}" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["validate"], ["policy", "render"]])
def test_an_exception_that_has_ended_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    later = {**_ENDED, "id": "EXC-2", "until": "9999-01-01T00:00:00Z"}
    file = _policy(tmp_path, rules=[rule("OWN-1")], exceptions=[later, _ENDED])

    assert main([*command, str(file)]) == 0

    printed = capsys.readouterr()
    number = next(number for number, text in enumerate(file.read_text().splitlines(), 1) if "2020" in text)
    warnings = [text for text in (printed.out + printed.err).splitlines() if "warning: " in text]
    assert warnings == [
        f"{file}:{number}: warning: GuardrailPolicy house: spec.exceptions[1].until: "
        "EXC-1 has ended and counts no more; remove it, or state a later end"
    ]


@pytest.mark.parametrize(
    "command",
    [
        ["validate", str(MODEL), "--policies", "EMPTY"],
        ["policy", "render", "EMPTY"],
        ["policy", "report", "EMPTY", "--policies", "POLICY"],
        ["policy", "report", str(MODEL), "--policies", "EMPTY"],
        ["plan", "EMPTY"],
    ],
)
def test_a_folder_without_manifests_is_no_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    named = {"EMPTY": str(empty), "POLICY": str(_policy(tmp_path, rules=[rule("OWN-1")]))}

    assert main([named.get(word, word) for word in command]) == 1

    assert capsys.readouterr().err == f"{empty}: has no file that ends in .yaml or .yml; name one\n"


@pytest.mark.parametrize(
    "command", [["validate", str(MODEL), "--policies", str(MODEL)], ["policy", "render", str(MODEL)]]
)
def test_files_without_a_policy_are_no_answer(capsys: pytest.CaptureFixture[str], command: list[str]) -> None:
    assert main(command) == 1

    assert capsys.readouterr().err == f"{MODEL}: there is no GuardrailPolicy; name where one is\n"


def test_policies_of_a_cluster_are_taken_from_standard_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = yaml.safe_load(_policy(tmp_path, mode="enforce", rules=[rule("OWN-1")]).read_text())
    policy["status"] = {"rules": 1}
    listed = {"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [policy]}
    command = ["validate", str(MODEL), "--policies", "-"]

    monkeypatch.setattr("sys.stdin", io.StringIO(yaml.safe_dump(listed)))
    assert main(command) == 1
    assert "it is wrong [OWN-1]" in capsys.readouterr().out

    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert main(command) == 1
    assert capsys.readouterr().err == "-: there is no GuardrailPolicy; name where one is\n"


def test_an_object_with_a_field_that_there_is_not_tries_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = {"licence": "mit", "model": {"source": "hf://Qwen/Qwen3-0.6B"}}
    test = {"name": "a licence is stated", "object": {"kind": "ModelDeployment", "spec": spec}}
    file = tmp_path / "tests.yaml"
    policies = [str(_policy(tmp_path, rules=[rule("OWN-1", expression="true")]))]
    file.write_text(json.dumps({"policies": policies, "tests": [test]}))

    assert main(["policy", "test", str(file)]) == 1

    said = 'spec.licence: unknown field; did you mean "license"?'
    assert f"FAIL {file}: a licence is stated: {said}" in capsys.readouterr().out

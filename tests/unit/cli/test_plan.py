"""`pointsman plan`: the operator's own decision, without a cluster, the same bytes each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from pointsman.cli.main import main

DEPLOYMENT = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: qwen, namespace: chat}
spec:
  model:
    source: hf://Qwen/Qwen3-32B
    revision: 9216db5781bf21249d130ec9da846c4624c16137
    quantization: fp8
  engine: {name: vllm, version: "0.33.0"}
"""
FLEET = """\
accelerators:
  - {name: H100-SXM, quota: 16, pricePerHour: {onDemand: "6.88"}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.yaml").write_text(DEPLOYMENT)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return tmp_path


def test_every_object_is_printed_and_always_alike(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(folder)]) == 0
    first = capsys.readouterr().out
    assert main(["plan", str(folder)]) == 0
    assert capsys.readouterr().out == first
    objects = list(yaml.safe_load_all(first))
    assert [one["kind"] for one in objects] == [
        "ControllerRevision",
        "Service",
        "NetworkPolicy",
        "Deployment",
    ]
    pod = objects[-1]["spec"]["template"]["spec"]
    assert pod["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"


def test_json_is_a_list_that_kubectl_takes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(folder), "-o", "json", "--agent-image", "registry.example.com/pointsman:1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["apiVersion"], found["kind"]) == ("v1", "List")
    [deployment] = [one for one in found["items"] if one["kind"] == "Deployment"]
    images = {one["image"] for one in deployment["spec"]["template"]["spec"]["initContainers"]}
    assert images == {"registry.example.com/pointsman:1"}


def test_a_model_that_fits_nowhere_says_why_and_prints_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "fleet.yaml").write_text("accelerators: [{name: T4, quota: 1}]\n")
    assert main(["plan", str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "ModelDeployment chat/qwen: " in printed.err
    assert "T4" in printed.err


def test_a_mistake_is_said_as_validate_says_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "model.yaml").write_text(DEPLOYMENT.replace("engine: {name", "engine: {nam"))
    assert main(["plan", str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"{folder}/model.yaml:9: ModelDeployment chat/qwen: spec.engine.nam: " in printed.err


def test_a_hosted_model_has_no_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "hosted.yaml").write_text(
        "apiVersion: pointsman.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {name: gpt}\n"
        "spec: {hosted: {provider: openai, baseURL: https://api.openai.com/v1, model: gpt-5-mini}}\n"
    )
    assert main(["plan", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == ""


def test_what_is_not_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(tmp_path / "nothing")]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/nothing: no such file or folder\n"

"""Broken data is refused in one line that names the file and the field."""

import pytest

from pointsman.catalog import read_catalog
from pointsman.errors import PointsmanError

ENGINE = """
name: vllm
summary: an engine
source: its wheel
verified: true
tasks: [chat]
quantizations: [none]
port: 8000
endpoints: {alive: /health, ready: /v1/models, tasks: {chat: /v1/chat/completions}}
servedNames: many
context: perRequest
startup: {fixedSeconds: 60, secondsPerGibibyte: 10, source: measured}
shutdown: {onTerminate: aborts, source: its code}
"""
ACCELERATOR = """
accelerators:
  - name: L4
    vendor: nvidia
    resource: nvidia.com/gpu
    memoryMebibytes: 23034
    memoryGigabytesPerSecond: 300
    bf16Teraflops: 121
    linkGigabytesPerSecond: 32
    source: data sheet
    verified: true
"""
MODEL = """
models:
  - name: small
    sources: [hf://me/small]
    tasks: [chat]
    parameters: 0.6B
    layers: 28
    hiddenSize: 1024
    contextLength: 40960
    attention: {kind: grouped, heads: 16, kvHeads: 8, headDim: 128}
    weights: {none: 1.4Gi}
    license: apache-2.0
    gated: false
    source: config.json
    verified: true
"""


def test_a_catalogue_is_its_files_together() -> None:
    catalog = read_catalog(
        {"engines/vllm.yaml": ENGINE, "accelerators.yaml": ACCELERATOR, "models.yaml": MODEL}
    )
    assert list(catalog.engines) == ["vllm"]
    assert list(catalog.accelerators) == ["L4"]
    assert list(catalog.models) == ["small"]


def test_the_revision_follows_every_byte() -> None:
    first = read_catalog({"engines/vllm.yaml": ENGINE})
    assert first.revision == read_catalog({"engines/vllm.yaml": ENGINE}).revision
    assert first.revision != read_catalog({"engines/vllm.yaml": ENGINE + "\n"}).revision


VIOLATIONS = {
    "a misspelt field": (
        "engines/vllm.yaml",
        ENGINE.replace("port:", "prot:"),
        "engines/vllm.yaml: port: Field required (and 1 more)",
    ),
    "an unknown field": (
        "engines/vllm.yaml",
        ENGINE + "colour: blue\n",
        "engines/vllm.yaml: colour: Extra inputs are not permitted",
    ),
    "a port that is a word": (
        "engines/vllm.yaml",
        ENGINE.replace("8000", "http"),
        "engines/vllm.yaml: port: Input should be a valid integer",
    ),
    "an engine that the API does not know": (
        "engines/vllm.yaml",
        ENGINE.replace("name: vllm", "name: vlm"),
        "engines/vllm.yaml: name: Input should be 'vllm', 'sglang', 'llama.cpp', 'tei', 'triton' or 'custom'",
    ),
    "a flag that stands twice": (
        "engines/vllm.yaml",
        ENGINE
        + "arguments: [{flags: [--model], field: spec.model.source}, {flags: [--model], todo: stop}]\n",
        "engines/vllm.yaml: the document: owns --model twice",
    ),
    "an argument that says nothing to do": (
        "engines/vllm.yaml",
        ENGINE + "arguments: [{flags: [--model]}]\n",
        "engines/vllm.yaml: arguments[0]: says neither field nor todo",
    ),
    "a metric without our name": (
        "engines/vllm.yaml",
        ENGINE + "metrics: [{name: speed, engineName: 'vllm:speed', kind: gauge}]\n",
        "engines/vllm.yaml: metrics[0].name: Input should be 'requests_running'",
    ),
    "no YAML": (
        "engines/vllm.yaml",
        "name: [vllm\nport: 8000\n",
        "engines/vllm.yaml:2: is no YAML: expected ',' or ']', but got ':'",
    ),
    "an empty file": (
        "models.yaml",
        "",
        "models.yaml: the document: Input should be a valid dictionary or instance of _Models",
    ),
    "too little memory": (
        "accelerators.yaml",
        ACCELERATOR.replace("23034", "23"),
        "accelerators.yaml: accelerators[0].memoryMebibytes: Input should be greater than or equal to 1024",
    ),
    "a price without a date": (
        "accelerators.yaml",
        ACCELERATOR
        + '    price: {perHour: "0.8", currency: USD, basis: one, source: a list, verified: true}\n',
        "accelerators.yaml: accelerators[0].price.asOf: Field required",
    ),
    "attention without its heads": (
        "models.yaml",
        MODEL.replace("kvHeads: 8, ", ""),
        "models.yaml: models[0].attention: grouped attention needs heads, kvHeads and headDim",
    ),
    "a size that is no quantity": (
        "models.yaml",
        MODEL.replace("1.4Gi", "large"),
        "models.yaml: models[0].weights.none: must be a quantity",
    ),
    "a name twice": (
        "models.yaml",
        MODEL + MODEL.split("models:\n")[1],
        "models.yaml: small stands twice; keep one",
    ),
    "a file that does not belong": (
        "prices.yaml",
        "{}",
        "prices.yaml: is no file of the catalogue; name it engines/NAME.yaml, accelerators.yaml or",
    ),
}


@pytest.mark.parametrize(("path", "text", "want"), VIOLATIONS.values(), ids=VIOLATIONS.keys())
def test_a_violation_is_one_line_with_file_and_field(path: str, text: str, want: str) -> None:
    with pytest.raises(PointsmanError) as refused:
        read_catalog({path: text})
    assert str(refused.value).startswith(want)
    assert "\n" not in str(refused.value)

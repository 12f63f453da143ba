"""What an engine cannot do is found before it is started."""

from dataclasses import dataclass

import pytest

from pointsman.api import ModelDeployment
from pointsman.api.parsing import parse_documents
from pointsman.catalog import shipped_catalog, unmet_demands


@dataclass(frozen=True)
class Case:
    spec: str
    want: tuple[str, ...]


CASES = {
    "an engine that can do it": Case(
        "engine: {name: vllm}, model: {source: 'hf://a/b', quantization: fp8}", ()
    ),
    "a task that it has not": Case(
        "engine: {name: llama.cpp}, model: {source: 'hf://a/b'}, tasks: [chat, speech]",
        ("spec.tasks[1]: llama.cpp cannot do speech; use chat, completion, embedding, rerank",),
    ),
    "a context length for an engine that is told none": Case(
        "engine: {name: tei}, model: {source: 'hf://a/b', contextLength: 512}, tasks: [embedding]",
        (
            "warning: spec.model.contextLength: tei takes its context length from the model; "
            "remove it: only the memory that placement counts follows it",
        ),
    ),
    "the tasks that hold where none is stated": Case(
        "engine: {name: tei}, model: {source: 'hf://a/b'}",
        (
            "spec.tasks[0]: tei cannot do chat; use embedding, rerank",
            "spec.tasks[1]: tei cannot do completion; use embedding, rerank",
        ),
    ),
    "weights that it never read": Case(
        "engine: {name: llama.cpp}, model: {source: 'hf://a/b', quantization: awq}",
        ("spec.model.quantization: llama.cpp b11549 cannot serve awq; use none, gguf",),
    ),
    "weights that it does not read any more": Case(
        "engine: {name: vllm}, model: {source: 'hf://a/b', quantization: gguf}",
        ("spec.model.quantization: vllm 0.33.0 cannot serve gguf; use llama.cpp for GGUF files",),
    ),
    "adapters that nobody could ask for": Case(
        "engine: {name: sglang, version: 0.5.3}, "
        "model: {source: 'hf://a/b', adapters: [{name: de, source: 'hf://a/de'}]}",
        (
            "spec.model.adapters: sglang 0.5.3 cannot serve adapters by their names; "
            "use sglang 0.5.4 or later",
        ),
    ),
    "facts that nobody has verified": Case(
        "engine: {name: triton}, model: {source: 'hf://a/b'}, tasks: [rerank]",
        ("warning: spec.tasks[0]: triton cannot do rerank; use chat, completion",),
    ),
    "an image that may be anything": Case(
        f"engine: {{name: custom, image: 'a.b/c@sha256:{'0' * 64}'}}, "
        "model: {source: 'hf://a/b'}, tasks: [speech]",
        (),
    ),
    "an argument and a variable of ours": Case(
        "engine: {name: llama.cpp, args: [--temp, '0', --port=1], env: [{name: LLAMA_API_KEY, value: x}]}, "
        "model: {source: 'hf://a/b'}",
        (
            "spec.engine.args[2]: --port is set by Pointsman; "
            "leave it out, Pointsman chooses the address and tells the gateway",
            "spec.engine.env[0]: LLAMA_API_KEY is set by Pointsman; "
            "leave it out, clients are checked at the gateway by the ModelRoute's spec.authentication",
        ),
    ),
    "a provider's model": Case("hosted: {provider: openai, baseURL: 'https://a.b/v1', model: m}", ()),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_asked_is_held_against_the_engine(case: Case) -> None:
    header = "apiVersion: pointsman.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {name: a}\n"
    text = f"{header}spec: {{{case.spec}}}\n"
    (located,), findings = parse_documents("a.yaml", text)
    assert findings == []
    assert isinstance(located.resource, ModelDeployment)
    found = unmet_demands(located.resource, shipped_catalog())
    said = [finding.text().replace("ModelDeployment default/a: ", "") for finding in found]
    assert said == list(case.want)

"""What an engine cannot do, or must not be told, is an error that names the field and what to do."""

from typing import Any

import pytest

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.workloads import refusals
from tests.support.builders import deployment, hosted

REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "a flag that a field sets": (
        "vllm",
        {"engine": {"args": ["--max_model_len=8192"]}},
        "spec.engine.args[0]: --max-model-len is set by Pointsman; use spec.model.contextLength",
    ),
    "a number of requests beside the one that placement counts with": (
        "vllm",
        {"engine": {"args": ["--max-num-seqs=128"]}},
        "spec.engine.args[0]: --max-num-seqs is set by Pointsman; use spec.engine.maxConcurrency",
    ),
    "the same under another name": (
        "sglang",
        {"engine": {"args": ["--max-running-requests", "128"]}},
        "spec.engine.args[0]: --max-running-requests is set by Pointsman; use spec.engine.maxConcurrency",
    ),
    "a share of memory beside the one that placement counts with": (
        "sglang",
        {"engine": {"args": ["--mem-fraction-static=0.95"]}},
        "spec.engine.args[0]: --mem-fraction-static is set by Pointsman; leave it out, placement counts on "
        "the share that Pointsman states (spec.model.contextLength and spec.engine.maxConcurrency say what "
        "must fit)",
    ),
    "a flag that nobody may set": (
        "sglang",
        {"engine": {"args": ["--log-requests", "--port=1"]}},
        "spec.engine.args[1]: --port is set by Pointsman; "
        "leave it out, Pointsman chooses the address and tells the gateway",
    ),
    "a variable that a field sets": (
        "vllm",
        {"engine": {"env": [{"name": "HF_TOKEN", "value": "x"}]}},
        "spec.engine.env[0]: HF_TOKEN is set by Pointsman; use spec.model.credentials",
    ),
    "a flag that has gone": (
        "vllm",
        {"engine": {"version": "0.18.0", "args": ["--swap-space=4"]}},
        "spec.engine.args[0]: vllm 0.18.0 has no --swap-space; use --kv-offloading-size",
    ),
    "a flag that has gone from the newest": (
        "sglang",
        {"engine": {"args": ["--enable-ep-moe"]}},
        "spec.engine.args[0]: sglang 0.5.23 has no --enable-ep-moe; use --moe-runner-backend and --ep-size",
    ),
    "a flag that is not there yet": (
        "vllm",
        {"engine": {"version": "0.28.0", "args": ["--max-num-queued-reqs=100"]}},
        "spec.engine.args[0]: vllm 0.28.0 has no --max-num-queued-reqs; leave it out or use a later version",
    ),
    "a version before what is known": (
        "vllm",
        {"engine": {"version": "0.6.0"}},
        "spec.engine.version: vllm 0.6.0 is older than what the catalogue knows; "
        "use 0.8.5 or later, or engine.image",
    ),
    "a version that is none": (
        "vllm",
        {"engine": {"version": "latest"}},
        "spec.engine.version: 'latest' is no version, such as 0.33.0 or b11549; "
        "write a version of the engine",
    ),
    "a task that the engine cannot do": (
        "tei",
        {"tasks": ["chat"]},
        "spec.tasks[0]: tei cannot do chat; use embedding, rerank",
    ),
    "a task that the version cannot do": (
        "vllm",
        {"tasks": ["image"], "engine": {"version": "0.18.0"}},
        "spec.tasks[0]: vllm 0.18.0 cannot do image; use 0.20 or later",
    ),
    "a task that the image cannot do": (
        "vllm",
        {"tasks": ["transcription"]},
        "spec.tasks[0]: the image of vllm cannot do transcription; "
        "state engine.image, built from vLLM's with the extra vllm[audio], or use sglang",
    ),
    "tasks that need two images": (
        "vllm",
        {"tasks": ["chat", "image"]},
        "spec.tasks: no image of vllm does all of these; write one ModelDeployment for each",
    ),
    "a quantisation that the engine cannot serve": (
        "tei",
        {"tasks": ["embedding"], "model": {"quantization": "awq"}},
        "spec.model.quantization: tei 1.9 cannot serve awq; use none",
    ),
    "a quantisation that the version no longer serves": (
        "vllm",
        {"model": {"quantization": "gguf"}},
        "spec.model.quantization: vllm 0.33.0 cannot serve gguf; use llama.cpp for GGUF files",
    ),
    "an adapter that has the model's name": (
        "vllm",
        {
            "model": {
                "source": "hf://a/b",
                "revision": "9216db5781bf21249d130ec9da846c4624c16137",
                "servedNames": ["base", "support"],
                "adapters": [{"name": "de", "source": "hf://a/d"}, {"name": "support", "source": "hf://a/e"}],
            }
        },
        'spec.model.adapters[1].name: "support" is a name of the model itself, for which the engine takes '
        "it; choose another name",
    ),
    "adapters where no client can ask for one": (
        "llama.cpp",
        {"model": {"source": "hf://a/b/c.gguf", "adapters": [{"name": "a", "source": "hf://a/d"}]}},
        "spec.model.adapters: llama.cpp cannot serve adapters by their names; "
        "use vllm or sglang, or remove them",
    ),
    "two names for an engine that has one": (
        "sglang",
        {"model": {"servedNames": ["a", "b"]}},
        "spec.model.servedNames: sglang answers to one name; keep one; a ModelRoute can give it more",
    ),
    "a folder's name with a slash": (
        "triton",
        {"model": {"servedNames": ["org/a"]}},
        "spec.model.servedNames: triton takes the name for a folder, which has no slash; "
        "state a name without a slash",
    ),
    "a chat template for an engine that takes none": (
        "tei",
        {"tasks": ["embedding"], "engine": {"chatTemplate": "x"}},
        "spec.engine.chatTemplate: tei takes no chat template; remove it",
    ),
    "one file for an engine that wants a folder": (
        "tei",
        {"tasks": ["embedding"], "model": {"source": "https://example.com/model"}},
        "spec.model.source: tei takes a folder, and this is one file; "
        "name the repository or folder that holds it",
    ),
    "a claim without the file": (
        "llama.cpp",
        {"model": {"source": "pvc://models/gemma"}},
        "spec.model.source: llama.cpp takes one file, and a pvc:// source is not searched for it; "
        "write pvc://CLAIM/FILE",
    ),
    "an image without the file": (
        "llama.cpp",
        {"model": {"source": "oci://registry.example.com/gemma:1"}},
        "spec.model.source: llama.cpp takes one file, and a oci:// source is not searched for it; "
        "write oci://IMAGE#FILE",
    ),
    "several nodes for an engine of one": (
        "tei",
        {"tasks": ["embedding"], "hardware": {"nodes": 2}},
        "spec.hardware.nodes: tei cannot span nodes; write 1, or use vllm or sglang",
    ),
    "several nodes before the engine could": (
        "vllm",
        {"engine": {"version": "0.10.2"}, "hardware": {"nodes": 2}},
        "spec.hardware.nodes: vllm 0.10.2 cannot span nodes; use vllm 0.11.2 or later",
    ),
    "a label of ours": (
        "vllm",
        {"template": {"labels": {"pointsman.dev/pool": "x"}}},
        "spec.template.labels: pointsman.dev/pool is set by Pointsman; remove it",
    ),
    "a volume that has our name": (
        "vllm",
        {"template": {"volumes": [{"name": "cache", "emptyDir": {}}]}},
        "spec.template.volumes[0]: another volume is called cache; choose another name",
    ),
    "a volume without a name": (
        "vllm",
        {"template": {"volumes": [{"emptyDir": {}}]}},
        "spec.template.volumes[0]: the volume has no name; state name",
    ),
    "devices beside placement": (
        "vllm",
        {"template": {"resources": {"limits": {"nvidia.com/gpu": 4}}}},
        "spec.template.resources.limits: nvidia.com/gpu is set by Pointsman; use spec.hardware",
    ),
}

ACCEPTED: dict[str, tuple[str, dict[str, Any]]] = {
    "a flag that is not ours": ("vllm", {"engine": {"args": ["--enforce-eager"]}}),
    "a flag in the version that has it": (
        "vllm",
        {"engine": {"version": "0.17.1", "args": ["--swap-space=4"]}},
    ),
    "GGUF where it was still there": (
        "vllm",
        {"engine": {"version": "0.23.0"}, "model": {"source": "hf://a/b/c.gguf", "quantization": "gguf"}},
    ),
    "transcription with an image of one's own": (
        "vllm",
        {"tasks": ["transcription"], "engine": {"image": f"example.com/vllm@sha256:{'0' * 64}"}},
    ),
    "images, which have an engine image of their own": ("vllm", {"tasks": ["image"]}),
    "a file in a claim": ("llama.cpp", {"model": {"source": "pvc://models/a/gemma.gguf"}}),
    "a file in an image": ("llama.cpp", {"model": {"source": "oci://example.com/gemma:1#gemma.gguf"}}),
    "a repository with one GGUF file": ("llama.cpp", {"model": {"source": "hf://Qwen/Qwen3-0.6B-GGUF"}}),
    "several nodes": ("sglang", {"hardware": {"nodes": 2}}),
    "devices that an engine of one's own asks for": (
        "custom",
        {
            "engine": {"image": f"example.com/e@sha256:{'0' * 64}"},
            "template": {"resources": {"limits": {"nvidia.com/gpu": 2}}},
        },
    ),
    "several nodes for an engine of one's own": (
        "custom",
        {"engine": {"image": f"example.com/e@sha256:{'0' * 64}"}, "hardware": {"nodes": 2}},
    ),
    "labels of Kueue": ("vllm", {"template": {"labels": {"kueue.x-k8s.io/queue-name": "gold"}}}),
}


def made(engine: str, spec: dict[str, Any]) -> ModelDeployment:
    return deployment("m", engine=engine, spec=spec)


@pytest.mark.parametrize(("engine", "spec", "want"), REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused_in_one_line(engine: str, spec: dict[str, Any], want: str) -> None:
    found = [
        one.text() for one in refusals(made(engine, spec), FleetSettings(), shipped_catalog()) if one.is_error
    ]
    assert found == [f"ModelDeployment default/m: {want}"]


@pytest.mark.parametrize(("engine", "spec"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_it_is_accepted(engine: str, spec: dict[str, Any]) -> None:
    assert not any(
        finding.is_error for finding in refusals(made(engine, spec), FleetSettings(), shipped_catalog())
    )


MOVING: dict[str, tuple[str, str | None, str]] = {
    "a repository's newest": ("hf://a/b", None, "state a commit of the repository"),
    "a branch": ("hf://a/b", "main", "state a commit of the repository"),
    "a commit": ("hf://a/b", "9216db5781bf", ""),
    "an image's tag": ("oci://example.com/a", "1", "state the image's digest"),
    "an image's digest": ("oci://example.com/a", f"sha256:{'0' * 64}", ""),
    "an image with its digest": (f"oci://example.com/a@sha256:{'0' * 64}", None, ""),
    "a bucket": ("s3://models/a", None, ""),
}


@pytest.mark.parametrize(("source", "revision", "want"), MOVING.values(), ids=MOVING.keys())
def test_weights_that_may_change_are_a_warning(source: str, revision: str | None, want: str) -> None:
    model = {"source": source, **({"revision": revision} if revision else {})}
    found = refusals(made("vllm", {"model": model}), FleetSettings(), shipped_catalog())
    assert [(one.severity, one.todo) for one in found] == ([("warning", want)] if want else [])


def test_a_hosted_model_has_no_engine_to_ask() -> None:
    assert refusals(hosted("h", "https://api.example.com/v1"), FleetSettings(), shipped_catalog()) == []

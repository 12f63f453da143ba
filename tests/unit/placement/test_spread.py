"""Over how many devices a model can be spread, and what is said where it cannot."""

import pytest

from pointsman.api import EngineName
from pointsman.placement.spread import Spread, device_refusal, tensor_refusal
from tests.support.placements import device, shape

FITS = {
    "key-value heads shared out": ("Qwen3-32B", None, [1, 2, 4, 8, 16, 32, 64]),
    "ten key-value heads": ("phi-4", None, [1, 2, 5, 10, 20, 40]),
    "seven times four attention heads": ("Qwen2.5-7B-Instruct", None, [1, 2, 4, 28]),
    "latent attention has no key-value heads": ("DeepSeek-R1-0528", None, [1, 2, 4, 8, 16]),
    "experts of 768 columns in blocks of 128": ("Qwen3-30B-A3B", "fp8", [1, 2]),
    "experts of 1,536 columns in blocks of 128": ("Qwen3-235B-A22B", "fp8", [1, 2, 4]),
    "the same experts without blocks": ("Qwen3-30B-A3B", None, [1, 2, 4, 8, 16, 32]),
}


@pytest.mark.parametrize("name", FITS)
def test_groups_that_a_model_can_be_split_into(name: str) -> None:
    model, quantization, want = FITS[name]
    found = shape(model, quantization)
    fitting = [n for n in range(1, 65) if tensor_refusal(found, n, EngineName.VLLM) is None]
    assert fitting == want


REFUSALS = {
    "heads": (
        "Qwen3-32B",
        None,
        6,
        "6 does not divide the model's 8 key-value heads; use 4 or 8",
    ),
    "more than the heads": (
        "Qwen3-30B-A3B",
        None,
        6,
        "6 is no multiple of the model's 4 key-value heads; use 4 or 8",
    ),
    "attention heads": (
        "Qwen2.5-32B-Instruct",
        None,
        16,
        "16 does not divide the model's 40 attention heads; use 8 or 40",
    ),
    "blocks of a quantisation": (
        "Qwen3-235B-A22B",
        "fp8",
        8,
        "8 splits the experts' 1536 columns into 192, which is no multiple of the 128 that share a scale "
        "in fp8; use 4",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_the_rule_and_the_fix(name: str) -> None:
    model, quantization, tensor, want = REFUSALS[name]
    refusal = tensor_refusal(shape(model, quantization), tensor, EngineName.VLLM)
    assert refusal is not None
    assert f"{refusal.what}; {refusal.todo}" == want
    assert refusal.field == "hardware.parallelism.tensor"


def test_tei_runs_on_one_accelerator() -> None:
    refusal = tensor_refusal(shape("bge-m3"), 2, EngineName.TEI)
    assert refusal is not None
    assert refusal.what == "tei runs on one accelerator"


DEVICES = {
    "a slice has no link": (
        "A100-80-SXM-MIG-3g.40gb",
        Spread(2, 1, 1),
        EngineName.VLLM,
        "is a slice of a device and has no link to another",
    ),
    "bridged pairs": ("H100-NVL", Spread(4, 1, 1), EngineName.VLLM, "are not joined by one link: at most 2"),
    "a node's devices": (
        "H100-SXM",
        Spread(8, 2, 1),
        EngineName.VLLM,
        "16 × H100-SXM are asked of one node, which has 8",
    ),
    "an uneven share": ("H100-SXM", Spread(3, 1, 2), EngineName.VLLM, "cannot be shared evenly by 2 nodes"),
    "a group over nodes": ("H100-SXM", Spread(8, 1, 2), EngineName.VLLM, "would span nodes of 4"),
    "an engine of one node": ("H100-SXM", Spread(8, 2, 2), EngineName.LLAMA_CPP, "runs on one node"),
}


@pytest.mark.parametrize("name", DEVICES)
def test_a_spread_that_the_devices_do_not_allow(name: str) -> None:
    accelerator, spread, engine, want = DEVICES[name]
    refusal = device_refusal(spread, device(accelerator), engine)
    assert refusal is not None
    assert want in refusal.what
    assert refusal.todo


@pytest.mark.parametrize(
    ("accelerator", "spread"),
    [
        ("H100-SXM", Spread(8, 1, 1)),
        ("H100-SXM", Spread(8, 2, 2)),
        ("GB200", Spread(8, 1, 2)),
        ("L40S", Spread(4, 1, 1)),
        ("A100-80-SXM-MIG-3g.40gb", Spread(1, 1, 1)),
    ],
)
def test_a_spread_that_the_devices_allow(accelerator: str, spread: Spread) -> None:
    assert device_refusal(spread, device(accelerator), EngineName.VLLM) is None

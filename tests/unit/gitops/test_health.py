"""What Argo CD and Flux make of our objects: their own languages, run on statuses as operators write them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cel_expr_python import cel
from lupa.lua51 import LuaRuntime  # the Lua that Argo CD speaks (gopher-lua is Lua 5.1)

FILES = Path(__file__).parents[3] / "operator" / "docs" / "gitops"
SCRIPTS: dict[str, str] = yaml.safe_load((FILES / "argocd-cm.yaml").read_text())["data"]
CHECKS = {
    check["kind"]: check
    for check in yaml.safe_load((FILES / "flux-kustomization.yaml").read_text())["spec"]["healthCheckExprs"]
}

Said = tuple[str, str, str, str]


@dataclass(frozen=True)
class Case:
    """Conditions as (type, status, reason, message), and what each tool should call them."""

    kind: str
    said: tuple[Said, ...]
    argo: str
    flux: str
    message: str = ""
    observed: int | None = 3


PLACED = ("Placed", "True", "Placed", "")
COMPLETE = ("Progressing", "True", "Complete", "every replica runs this version")
STARTING = ("Progressing", "True", "Starting", "")
READY = ("Ready", "True", "ReplicasReady", "")

CASES = {
    "just created: nobody has looked": Case(
        "ModelDeployment", (), "Progressing", "inProgress", observed=None
    ),
    "changed: the status is of before": Case(
        "ModelDeployment", (PLACED, COMPLETE, READY), "Progressing", "inProgress", observed=2
    ),
    "weights are on their way": Case(
        "ModelDeployment",
        (
            PLACED,
            ("WeightsAvailable", "False", "Fetching", ""),
            STARTING,
            ("Ready", "False", "Fetching", "hf://a/b is being fetched"),
        ),
        "Progressing",
        "inProgress",
        "hf://a/b is being fetched",
    ),
    "all replicas run this version": Case("ModelDeployment", (PLACED, COMPLETE, READY), "Healthy", "current"),
    "it serves while a newer version starts": Case(
        "ModelDeployment", (PLACED, STARTING, READY), "Progressing", "inProgress"
    ),
    "the newest version cannot start, the former serves": Case(
        "ModelDeployment",
        (PLACED, ("Progressing", "False", "EngineFails", "container engine ended"), READY),
        "Degraded",
        "failed",
        "container engine ended",
    ),
    "it fits nowhere": Case(
        "ModelDeployment",
        (("Placed", "False", "DoesNotFit", "needs 80 GB"), ("Ready", "False", "DoesNotFit", "needs 80 GB")),
        "Degraded",
        "failed",
        "needs 80 GB",
    ),
    "scaled to zero on purpose": Case(
        "ModelDeployment",
        (PLACED, COMPLETE, ("Ready", "False", "ScaledToZero", "spec.replicas is 0")),
        "Suspended",
        "current",
        "spec.replicas is 0",
    ),
    "a provider's model": Case(
        "ModelDeployment", (COMPLETE, ("Ready", "True", "Hosted", "")), "Healthy", "current"
    ),
    "a route that serves": Case(
        "ModelRoute", (("Accepted", "True", "Accepted", ""), READY), "Healthy", "current"
    ),
    "a route whose name is another's": Case(
        "ModelRoute",
        (("Accepted", "False", "Conflict", "belongs to ModelRoute a/b"), ("Ready", "False", "Conflict", "")),
        "Degraded",
        "failed",
        "belongs to ModelRoute a/b",
    ),
    "a route that gateways have not taken yet": Case(
        "ModelRoute",
        (
            ("Accepted", "True", "Accepted", ""),
            ("Programmed", "False", "Pending", ""),
            ("Ready", "Unknown", "Pending", ""),
        ),
        "Progressing",
        "inProgress",
    ),
}


def status(case: Case) -> dict[str, Any]:
    conditions = [
        {"type": kind, "status": state, "reason": reason, "message": message}
        for kind, state, reason, message in case.said
    ]
    observed = {} if case.observed is None else {"observedGeneration": case.observed}
    return {**observed, **({"conditions": conditions} if conditions else {})}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_argo_cd(case: Case) -> None:
    lua = LuaRuntime(unpack_returned_tuples=True)
    script = SCRIPTS[f"resource.customizations.health.pointsman.dev_{case.kind}"]
    health = lua.execute(f"return function(obj)\n{script}\nend")
    obj = {"metadata": {"generation": 3}, "status": status(case)}
    found = health(lua.table_from(obj, recursive=True))
    assert found["status"] == case.argo
    if case.message:
        assert found["message"] == case.message


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_flux(case: Case) -> None:
    """As kstatus does it: in progress first, then failed, then current; else in progress."""
    assert flux_state(CHECKS[case.kind], status(case)) == case.flux


def flux_state(check: dict[str, str], said: dict[str, Any]) -> str:
    for state in ("inProgress", "failed", "current"):
        if holds(check[state], said):
            return state
    return "inProgress"


def holds(expression: str, said: dict[str, Any]) -> bool:
    environment = cel.NewEnv(variables={"status": cel.Type.DYN, "metadata": cel.Type.DYN})
    found = environment.compile(expression).eval(data={"status": said, "metadata": {"generation": 3}})
    return found.value() is True

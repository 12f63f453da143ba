"""Status and conditions of deployments: what is said of what is observed."""

from dataclasses import dataclass, replace

import pytest

from pointsman.api import Condition, ModelDeployment, ModelDeploymentStatus
from pointsman.api.findings import Finding
from pointsman.api.modeldeployment_status import ScalingStatus
from pointsman.catalog.metric_report import MetricReport, Presence, ReportedMetric
from pointsman.local.engines.plan import Phase, ReplicaView, Trouble
from pointsman.local.status.deployment_status import deployment_status
from pointsman.local.status.observed import DeploymentObserved, Stage, Step
from tests.support import builders

NOW, LATER = "2026-11-22T10:00:00Z", "2026-11-22T11:00:00Z"
DEPLOYMENT = builders.deployment(
    "a", engine="llama.cpp", source="package://weights-gguf", replicas=2, generation=3
)
DONE = Step(Stage.DONE, "Fits", "this machine's CPU")
TROUBLE = Trouble("EngineDiedAtStart", "the engine ended with exit code 1")
FINDING = Finding("error", "spec.replicas", "must be a number", "correct it", file="a.yaml", line=3)

LACKING = MetricReport(True, (ReportedMetric("steps_total", "llamacpp:n_decode", Presence.MISSING),))


def observed(*replicas: tuple[str, Phase], trouble: Trouble | None = None) -> DeploymentObserved:
    views = tuple(
        ReplicaView(slot, spec, phase, trouble=trouble if phase is Phase.WAITING else None)
        for slot, (spec, phase) in enumerate(replicas)
    )
    return DeploymentObserved(weights=DONE, placed=DONE, wanted_hash="new", replicas=views)


def said(seen: DeploymentObserved, deployment: ModelDeployment = DEPLOYMENT) -> dict[str, tuple[str, str]]:
    """Status and reason by condition type."""
    status = deployment_status(deployment, seen, ModelDeploymentStatus(), engine_versions={}, now=NOW)
    return {one.type: (str(one.status), one.reason) for one in status.conditions}


@dataclass(frozen=True)
class Case:
    seen: DeploymentObserved
    want: dict[str, tuple[str, str]]


READY, STARTING, WAITING = Phase.READY, Phase.STARTING, Phase.WAITING
CASES = {
    "nothing is known yet": Case(
        DeploymentObserved(),
        {
            "Placed": ("Unknown", "Waiting"),
            "Available": ("False", "NoReplicaReady"),
            "Ready": ("False", "NoReplicaReady"),
        },
    ),
    "an engine lacks a metric, and serves": Case(
        replace(
            observed(("new", READY), ("new", READY)),
            replicas=(
                ReplicaView(0, "new", READY, metrics=LACKING),
                ReplicaView(1, "new", READY),
            ),
        ),
        {"MetricsAvailable": ("False", "NamesMissing"), "Ready": ("True", "ReplicasReady")},
    ),
    "an engine of the former version lacks one": Case(
        replace(
            observed(("new", READY), ("new", READY)),
            replicas=(ReplicaView(0, "old", READY, metrics=LACKING), ReplicaView(1, "new", READY)),
        ),
        {"MetricsAvailable": ("Unknown", "NotKnown")},
    ),
    "weights are missing": Case(
        DeploymentObserved(weights=Step(Stage.FAILED, "FileNotFound", "x: no such weights file")),
        {
            "WeightsAvailable": ("False", "FileNotFound"),
            "Progressing": ("False", "FileNotFound"),
            "Ready": ("False", "FileNotFound"),
        },
    ),
    "everything runs": Case(
        observed(("new", READY), ("new", READY)),
        {
            "Progressing": ("True", "Complete"),
            "Available": ("True", "ReplicasReady"),
            "Ready": ("True", "ReplicasReady"),
        },
    ),
    "one of two is ready": Case(
        observed(("new", READY), ("new", STARTING)),
        {"Progressing": ("True", "Starting"), "Ready": ("True", "ReplicasReady")},
    ),
    "one of two died": Case(
        observed(("new", READY), ("new", WAITING), trouble=TROUBLE),
        {"Progressing": ("False", "EngineDiedAtStart"), "Ready": ("True", "ReplicasReady")},
    ),
    "all died": Case(
        observed(("new", WAITING), ("new", WAITING), trouble=TROUBLE),
        {"Progressing": ("False", "EngineDiedAtStart"), "Ready": ("False", "EngineDiedAtStart")},
    ),
    "the new version cannot start and the former serves": Case(
        observed(("old", READY), ("old", READY), ("new", WAITING), trouble=TROUBLE),
        {
            "Progressing": ("False", "EngineDiedAtStart"),
            "Available": ("True", "FormerVersionServes"),
            "Ready": ("True", "FormerVersionServes"),
        },
    ),
    "the weights of the new version are missing and the former serves": Case(
        replace(
            observed(("old", READY), ("old", READY)), weights=Step(Stage.FAILED, "RevisionNotFound", "…")
        ),
        {"WeightsAvailable": ("False", "RevisionNotFound"), "Ready": ("True", "FormerVersionServes")},
    ),
    "the edit has a mistake": Case(
        replace(observed(("new", READY), ("new", READY)), refused=FINDING),
        {"Progressing": ("False", "InvalidEdit"), "Ready": ("True", "ReplicasReady")},
    ),
    "an edit is being prepared": Case(
        replace(observed(("new", READY), ("new", READY)), is_preparing=True),
        {"Progressing": ("True", "Starting")},
    ),
    "a former replica still drains": Case(
        observed(("new", READY), ("new", READY), ("old", Phase.DRAINING)),
        {"Progressing": ("True", "Complete")},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_conditions(case: Case) -> None:
    found = said(case.seen)
    assert {type_: found[type_] for type_ in case.want} == case.want


def test_scaled_to_zero_says_so() -> None:
    deployment = builders.deployment("a", engine="llama.cpp", source="package://weights-gguf", replicas=0)
    assert said(observed(), deployment)["Ready"] == ("False", "ScaledToZero")


def test_a_hosted_model_says_why_its_key_cannot_be_used() -> None:
    hosted = builders.hosted("gpt", "https://api.openai.com/v1", secret=("openai", "key"))
    assert said(DeploymentObserved(), hosted) == {
        "Progressing": ("True", "Complete"),
        "Available": ("True", "Hosted"),
        "Ready": ("True", "Hosted"),
    }
    assert said(DeploymentObserved(hosted_trouble="no key"), hosted)["Ready"] == (
        "False",
        "CredentialsNotUsable",
    )


def test_the_numbers_and_the_generation_are_there() -> None:
    seen = observed(("new", READY), ("new", STARTING), ("old", Phase.DRAINING))
    versions = {"llama.cpp": "9"}
    status = deployment_status(DEPLOYMENT, seen, ModelDeploymentStatus(), engine_versions=versions, now=NOW)
    assert (status.replicas, status.ready_replicas, status.observed_generation) == (2, 1, 3)
    assert status.engine is not None
    assert (status.engine.name, status.engine.version) == ("llama.cpp", "9")
    assert status.placement is not None
    assert status.placement.accelerator == "cpu"


def test_the_time_is_that_of_the_last_flip_and_the_rest_does_not_move() -> None:
    def status(seen: DeploymentObserved, former: ModelDeploymentStatus, now: str) -> ModelDeploymentStatus:
        return deployment_status(DEPLOYMENT, seen, former, engine_versions={}, now=now)

    def ready(of: ModelDeploymentStatus) -> Condition:
        return next(one for one in of.conditions if one.type == "Ready")

    up, down = observed(("new", READY), ("new", READY)), observed(("new", STARTING))
    first = status(up, ModelDeploymentStatus(), NOW)
    assert status(up, first, LATER) == first
    assert ready(status(down, first, LATER)).last_transition_time == LATER
    assert ready(status(observed(("old", READY)), first, LATER)).last_transition_time == NOW


@pytest.mark.parametrize("mode", ["active", "off"])
def test_what_is_said_of_scaling_is_kept_where_it_is_ours(mode: str) -> None:
    spec = {"scaling": {"mode": mode, "maxReplicas": 3}}
    plain = builders.deployment("a", engine="llama.cpp", replicas=2, spec=spec)
    said_of_it = ScalingStatus(for_replicas=2, state="Active", reason="2 replicas: why")
    scaled = plain.model_copy(update={"status": plain.status.model_copy(update={"scaling": said_of_it})})
    seen = observed(("new", READY), ("new", READY))
    status = deployment_status(scaled, seen, ModelDeploymentStatus(), engine_versions={}, now=NOW)
    is_ours = mode == "active"
    assert status.scaling == (said_of_it if is_ours else None)
    assert said(seen, scaled).get("ScalingActive") == (("True", "Active") if is_ours else None)

"""What is said of a ModelDeployment in the same words wherever it runs: in a cluster or here. Pure."""

from pointsman.api.modeldeployment import ModelDeployment
from pointsman.api.verdicts import FALSE, TRUE, Verdict

FORMER_VERSION_SERVES = "FormerVersionServes"
"""Why a deployment is available when no replica of its stated version is ready."""

IDLE = "Idle"
"""Why a deployment is available while nothing of it runs."""

HOSTED_IS_COMPLETE = Verdict("Progressing", TRUE, "Complete", "nothing runs here: the provider hosts it")
HOSTED_IS_AVAILABLE = Verdict("Available", TRUE, "Hosted")
COMPLETE = Verdict("Progressing", TRUE, "Complete", "every replica runs this version")
STARTING = Verdict("Progressing", TRUE, "Starting", "replicas of this version are being started")

# The bound of `status.model`; a file's name may have more.
_LONGEST_NAME = 253


def available(deployment: ModelDeployment, *, ready_of_version: int, ready: int) -> Verdict:
    """Whether any of the replicas that are ready, of which some run the stated version, can answer."""
    if ready_of_version:
        return Verdict("Available", TRUE, "ReplicasReady", "")
    if ready:
        return Verdict("Available", TRUE, FORMER_VERSION_SERVES, "replicas of the former version serve")
    if deployment.spec.replicas == 0 and deployment.may_rest:
        return Verdict("Available", TRUE, IDLE, "nothing runs; requests are held while a replica starts")
    if deployment.spec.replicas == 0:
        return Verdict("Available", FALSE, "ScaledToZero", "spec.replicas is 0")
    return Verdict("Available", FALSE, "NoReplicaReady", "no replica can answer yet")


def ready_like(available: Verdict) -> Verdict:
    """Ready where nothing but availability decides it."""
    return Verdict("Ready", available.status, available.reason, available.message)


def model_summary(deployment: ModelDeployment, commit: str = "") -> str:
    """The model in a few characters: `Qwen/Qwen3-32B@9216`, the last part of what is no repository (a file, a
    package, an image), or the provider's name of it. `commit` is what a branch or tag was found to be.
    """
    return _model(deployment, commit)[:_LONGEST_NAME]


def _model(deployment: ModelDeployment, commit: str) -> str:
    if deployment.spec.hosted is not None:
        return deployment.spec.hosted.model
    assert deployment.spec.model is not None
    scheme, _, rest = deployment.spec.model.source.partition("://")
    if scheme != "hf":
        return rest.rstrip("/").rpartition("/")[2]
    name = "/".join(rest.split("/")[:2])
    revision = commit or deployment.spec.model.revision
    return f"{name}@{revision[:4]}" if revision else name

"""The containers of a pod: what fetches weights, the engine agent beside the engine, and the engine itself.

All run without root, without capabilities, and under the runtime's seccomp profile.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pointsman.api import EgressProxy, EnvironmentVariable, ModelDeployment, SecretKeySelector
from pointsman.catalog import EngineFacts, LaunchCondition
from pointsman.workloads import adapters
from pointsman.workloads.engine import PORT, ChosenEngine, drain_seconds, own
from pointsman.workloads.launching import Start, arguments, variables
from pointsman.workloads.surroundings import proxy_variables
from pointsman.workloads.weights import STORE, STORE_VOLUME, Supply

ENGINE: Final = "engine"
AGENT: Final = "agent"
WEIGHTS: Final = "weights"

AGENT_PORT: Final = 9465
"""Where the agent answers: /livez, /readyz, /metrics, and for the engine's container /engine: whether it
lives.
"""

DRAIN_PORT: Final = 9466
"""Where it answers /drain, the engine's preStop. The node's own agent asks from outside of any NetworkPolicy;
nobody else is let in, for whoever asks takes the replica out.
"""

_FETCHING_MOUNTS: Sequence[Mapping[str, Any]] = (
    {"name": STORE_VOLUME, "mountPath": STORE},
    {"name": "tmp", "mountPath": "/tmp"},
)
_PROBE_SECONDS = 10
# A start that takes half as long again as the slowest expected one is taken for a failed one.
_STARTUP_MARGIN = 1.5
# The agent has watched for half a minute before it says that the engine hangs; the rest is for an agent that
# is itself started again.
_LIVENESS = {"periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6}
_HARDENED: Mapping[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
# Reads one page of metrics a second and holds a few numbers.
_AGENT_RESOURCES = {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}}
# The same, and at times a process beside it that downloads an adapter.
_LOADING_RESOURCES = {"requests": {"cpu": "50m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
# Buffers of a parallel download; the files themselves go to the volume.
_DOWNLOAD_RESOURCES = {"requests": {"cpu": "500m", "memory": "512Mi"}}


def startup_seconds(facts: EngineFacts, weights_bytes: int) -> int:
    """How long the engine may take until it serves, its weights being there already."""
    return math.ceil(_STARTUP_MARGIN * facts.startup.budget_seconds(weights_bytes))


def download_seconds(facts: EngineFacts, weights_bytes: int) -> int:
    """How long the download of the weights may take."""
    budget = facts.startup.budget_seconds(weights_bytes) - facts.startup.budget_seconds(0)
    return math.ceil(_STARTUP_MARGIN * budget)


def weights(
    supply: Supply, image: str, secret: SecretKeySelector | None, proxy: EgressProxy | None
) -> dict[str, Any]:
    """The init container that downloads: but for an agent that brings adapters, the only one that ever sees
    the source's credentials.
    """
    items = [part for download in supply.downloads for part in ("--item", download.to_argument())]
    return {
        "name": WEIGHTS,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["fetch-weights", *items],
        "env": _fetching(secret, proxy),
        "resources": _DOWNLOAD_RESOURCES,
        "securityContext": _secured(read_only_root=True),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": list(_FETCHING_MOUNTS),
    }


def _fetching(secret: SecretKeySelector | None, proxy: EgressProxy | None) -> list[dict[str, Any]]:
    """The environment of what fetches."""
    environment: list[dict[str, Any]] = [
        {"name": "HOME", "value": "/tmp"},
        # A log is no terminal, and its last line says why a fetch failed.
        {"name": "HF_HUB_DISABLE_PROGRESS_BARS", "value": "1"},
        {"name": "HF_HUB_DISABLE_TELEMETRY", "value": "1"},
    ]
    if secret is not None:
        source = {"secretKeyRef": {"name": secret.name, "key": secret.key}}
        environment.append({"name": "POINTSMAN_WEIGHTS_CREDENTIAL", "valueFrom": source})
    environment += [{"name": name, "value": value} for name, value in proxy_variables(proxy).items()]
    return environment


def loading(
    agent: Mapping[str, Any], model_source: str, secret: SecretKeySelector | None, proxy: EgressProxy | None
) -> dict[str, Any]:
    """The agent where it also brings adapters: it sees the credentials, and shows them to nobody but the
    place that the model comes from.
    """
    said = {
        "--adapters": f"{adapters.FOLDER}/{adapters.FILE}",
        "--store": STORE,
        "--model-source": model_source,
    }
    return {
        **agent,
        "args": [*agent["args"], *(part for pair in said.items() for part in pair)],
        "env": _fetching(secret, proxy),
        "resources": _LOADING_RESOURCES,
        "volumeMounts": [*_FETCHING_MOUNTS, adapters.mount()],
    }


def agent(deployment: ModelDeployment, chosen: ChosenEngine, image: str) -> dict[str, Any]:
    """The engine agent, as a sidecar: it is there before the engine and ends after it."""
    said = {
        "--engine": chosen.facts.name.value,
        "--engine-version": chosen.version or "",
        "--engine-host": "127.0.0.1",
        "--engine-port": str(PORT),
        "--host": "0.0.0.0",
        "--port": str(AGENT_PORT),
        "--drain-port": str(DRAIN_PORT),
        "--served-name": deployment.served_names[0],
        "--drain-seconds": str(drain_seconds(deployment)),
    }
    tasks = [word for task in deployment.spec.tasks for word in ("--task", task.value)]
    return {
        "name": AGENT,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["engine-agent", *(part for pair in said.items() if pair[1] for part in pair), *tasks],
        "restartPolicy": "Always",
        "ports": [{"name": AGENT, "containerPort": AGENT_PORT, "protocol": "TCP"}],
        "resources": _AGENT_RESOURCES,
        "startupProbe": _asks(AGENT, "/livez", periodSeconds=1, timeoutSeconds=5, failureThreshold=60),
        "livenessProbe": _asks(AGENT, "/livez", periodSeconds=10, timeoutSeconds=5, failureThreshold=6),
        "readinessProbe": _asks(AGENT, "/readyz", periodSeconds=2, timeoutSeconds=5, failureThreshold=2),
        "securityContext": _secured(read_only_root=True),
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }


def engine(
    deployment: ModelDeployment,
    chosen: ChosenEngine,
    start: Start,
    startup: int,
    resources: Mapping[str, Any],
    mounts: Sequence[Mapping[str, Any]],
    proxy: EgressProxy | None,
) -> dict[str, Any]:
    """The engine, which may fetch what requests name: an image by its address. A worker of a group answers
    nobody: it has neither port nor probes, and ends with its leader.
    """
    launch = chosen.facts.launch
    _, stated = own(deployment)
    container: dict[str, Any] = {
        "name": ENGINE,
        "image": chosen.image,
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(chosen.command)} if chosen.command else {}),
        "args": [*arguments(launch, start), *stated.args],
        "env": _environment({**variables(launch, start), **proxy_variables(proxy)}, stated.env),
        "resources": dict(resources),
        "securityContext": _secured(read_only_root=launch.read_only_root),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": list(mounts),
    }
    if not container["args"]:
        del container["args"]
    if LaunchCondition.WORKER in start.conditions:
        return container
    endpoints = chosen.facts.endpoints
    return {
        **container,
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _asks(
            "http",
            endpoints.ready,
            periodSeconds=_PROBE_SECONDS,
            timeoutSeconds=_PROBE_SECONDS,
            failureThreshold=math.ceil(startup / _PROBE_SECONDS),
        ),
        # Not the engine's own word: one whose computing half hangs goes on to say that it is well.
        "livenessProbe": {
            **_asks(AGENT_PORT, "/engine", **_LIVENESS),
            # The pod's own is for answers that are still to come.
            "terminationGracePeriodSeconds": chosen.facts.shutdown.stop_seconds,
        },
        "lifecycle": {"preStop": {"httpGet": {"path": "/drain", "port": DRAIN_PORT, "scheme": "HTTP"}}},
    }


def _environment(ours: Mapping[str, str], stated: Sequence[EnvironmentVariable]) -> list[dict[str, Any]]:
    """Ours, then the user's, whose value counts where both name a variable."""
    address = {"fieldRef": {"apiVersion": "v1", "fieldPath": "status.podIP"}}
    found: dict[str, dict[str, Any]] = {}
    # What refers to it must come after it.
    if any("$(POD_IP)" in value for value in ours.values()):
        found["POD_IP"] = {"name": "POD_IP", "valueFrom": address}
    found.update({name: {"name": name, "value": value} for name, value in ours.items()})
    for variable in stated:
        if variable.value_from is not None:
            reference = variable.value_from.secret_key_ref
            source = {"secretKeyRef": {"name": reference.name, "key": reference.key}}
            found[variable.name] = {"name": variable.name, "valueFrom": source}
        else:
            # An empty value is left out, as the API server does.
            value = {"value": variable.value} if variable.value else {}
            found[variable.name] = {"name": variable.name, **value}
    return list(found.values())


def _asks(port: str | int, path: str, **counts: int) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": port, "scheme": "HTTP"}, **counts}


def _secured(*, read_only_root: bool) -> dict[str, Any]:
    return {**_HARDENED, "readOnlyRootFilesystem": read_only_root}

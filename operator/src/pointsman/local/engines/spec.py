"""What one engine process is: everything that makes two replicas alike, and its hash.

Not in it, because a change must not replace running engines: the port, the log, and how many cores a
replica gets.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pointsman.api import EngineName, ModelDeployment, Task
from pointsman.engine_agent.settings import EngineSettings
from pointsman.local.engines.llamacpp_flags import Value, read_arguments
from pointsman.local.weights.gguf import ModelFacts
from pointsman.local.weights.located import Weights

LOOPBACK = "127.0.0.1"
"""Where the engines of this machine listen."""

DEFAULT_CONTEXT_LENGTH = 4096
"""Tokens of one request where spec.model.contextLength is not given: llama.cpp's own least context
(--fit-ctx), less where the model was made for less. A laptop should not give its memory to a context of
128k that nobody asked for.
"""

DEFAULT_CONCURRENCY = 4
"""Requests at once where spec.engine.maxConcurrency is not given: llama.cpp's own choice for its server."""


@dataclass(frozen=True)
class EngineSpec:
    """An engine of one deployment. `environment` may hold secrets: it goes to the process and nowhere
    else.
    """

    weights: str
    weights_bytes: int
    weights_stamp: int
    served_names: tuple[str, ...]
    tasks: tuple[str, ...]
    context_length: int
    concurrency: int
    chat_template: str
    parameters: Mapping[str, Value]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def hash(self) -> str:
        """Sixteen hex digits that name this spec."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def to_document(self, threads: int) -> dict[str, Any]:
        """What the engine process is told on its standard input; without the environment, which it gets as
        such.
        """
        document = asdict(self)
        del document["environment"], document["weights_bytes"], document["weights_stamp"]
        return {**document, "threads": threads}

    def settings(self, port: int) -> EngineSettings:
        """How one of these engines is asked, by whoever knows its port."""
        tasks = tuple(Task(task) for task in self.tasks)
        return EngineSettings(EngineName.LLAMA_CPP, LOOPBACK, port, self.served_names[0], tasks)


def engine_spec(
    deployment: ModelDeployment, weights: Weights, facts: ModelFacts, environment: Mapping[str, str]
) -> EngineSpec:
    """The spec of a deployment's engines. Raises PointsmanError for an argument that llama.cpp cannot get
    here.
    """
    spec = deployment.spec
    assert spec.model is not None
    assert spec.engine is not None
    return EngineSpec(
        weights=str(weights.path),
        weights_bytes=weights.size_bytes,
        weights_stamp=weights.path.stat().st_mtime_ns,
        served_names=deployment.served_names,
        tasks=tuple(str(task) for task in spec.tasks),
        context_length=context_length(deployment, facts),
        concurrency=spec.engine.max_concurrency or DEFAULT_CONCURRENCY,
        chat_template=spec.engine.chat_template or "",
        parameters=read_arguments(spec.engine.args),
        environment=dict(environment),
    )


def context_length(deployment: ModelDeployment, facts: ModelFacts) -> int:
    """Tokens that one request may have, prompt and answer together."""
    stated = None if deployment.spec.model is None else deployment.spec.model.context_length
    if stated is not None:
        return stated
    return min(DEFAULT_CONTEXT_LENGTH, facts.context_length or DEFAULT_CONTEXT_LENGTH)


def cores_for_replica(cores: int, replicas_on_machine: int) -> int:
    """Threads of one replica: all but one core (Envoy and the rest need it), shared evenly; at least 1.

    llama.cpp's threads spin at barriers: with more of them than cores, one token took 1,800 ms instead of
    37 ms (270M model, two threads, one other busy process, 2 cores).
    """
    return max(1, (cores - 1) // max(1, replicas_on_machine))

"""What an agent is started with: which engine it stands beside."""

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.addresses import in_url
from pointsman.api import EngineName, Task
from pointsman.engine_agent.adapter_settings import AdapterSettings

# Those that answer JSON, the most asked for first.
_ASKED_FIRST = (Task.CHAT, Task.COMPLETION, Task.EMBEDDING, Task.RERANK)


@dataclass(frozen=True)
class EngineSettings:
    """One engine: which it is, where it listens, and what it serves."""

    name: EngineName
    host: str
    port: int
    served_name: str
    tasks: tuple[Task, ...]
    version: str | None = None
    """None: the newest that the catalogue knows."""

    @property
    def asked_task(self) -> Task:
        """The task that readiness asks for."""
        return asked_task(self.tasks)

    def url(self, path: str, port: int | None = None) -> str:
        """A path of the engine."""
        return f"http://{in_url(self.host)}:{port or self.port}{path}"


@dataclass(frozen=True)
class AgentSettings:
    """The engine, and where the agent itself listens."""

    engine: EngineSettings
    drain_seconds: float
    """The longest that running requests may go on once the pod is to end."""
    host: str
    port: int
    drain_port: int
    """Where it is told to drain. Who may reach `port` need not be trusted with that."""
    adapters: AdapterSettings | None = None
    """None: adapters are no business of this agent."""


def asked_task(tasks: Sequence[Task]) -> Task:
    """Which task tells that an engine serves; one that answers no JSON only where it has no other."""
    return next((task for task in _ASKED_FIRST if task in tasks), tasks[0])

"""What an agent is started with: which engine it stands beside."""

from dataclasses import dataclass

from pointsman.api import EngineName, Task


@dataclass(frozen=True)
class AgentSettings:
    """The engine, where it listens, and what it serves."""

    engine: EngineName
    version: str | None
    """None: the newest that the catalogue knows."""
    engine_host: str
    engine_port: int
    served_name: str
    task: Task
    drain_seconds: float
    """The longest that running requests may go on once the pod is to end."""
    host: str
    port: int

    def url(self, path: str, port: int | None = None) -> str:
        """A path of the engine."""
        host = f"[{self.engine_host}]" if ":" in self.engine_host else self.engine_host
        return f"http://{host}:{port or self.engine_port}{path}"

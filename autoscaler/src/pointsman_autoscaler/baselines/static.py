"""So many replicas, whatever happens."""

from dataclasses import dataclass

from pointsman_autoscaler.baselines.setup import Setup
from pointsman_autoscaler.view import View


@dataclass
class Static:
    """`replicas` within the deployment's bounds; by default its minimum."""

    setup: Setup
    replicas: int | None = None
    interval_seconds: float = 60.0
    name: str = "static"

    def decide(self, view: View) -> dict[str, int]:
        return self.setup.place(max(1, self.setup.least if self.replicas is None else self.replicas), view)

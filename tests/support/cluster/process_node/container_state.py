"""What a kubelet says of one container, as data. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class ContainerState:
    """A `containerStatuses` entry. `state` and `last_state` have the key waiting, running or terminated."""

    name: str
    image: str
    state: Json = field(default_factory=dict)
    last_state: Json = field(default_factory=dict)
    ready: bool = False
    started: bool = False
    restart_count: int = 0
    container_id: str = ""
    image_id: str = ""

    @property
    def waiting_reason(self) -> str:
        return str(self.state.get("waiting", {}).get("reason", ""))

    @property
    def is_running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """None while it has not ended."""
        terminated = self.state.get("terminated")
        return None if terminated is None else int(terminated["exitCode"])

    def waits(self, reason: str, message: str = "") -> ContainerState:
        """It waits; what it was before, if it ran, becomes its last state."""
        waiting = {"reason": reason, **({"message": message} if message else {})}
        last = self.state if "terminated" in self.state else self.last_state
        return replace(self, state={"waiting": waiting}, last_state=last, ready=False, started=False)

    def runs(self, started_at: str, container_id: str, image_id: str) -> ContainerState:
        return replace(
            self,
            state={"running": {"startedAt": started_at}},
            container_id=container_id,
            image_id=image_id,
            ready=False,
            started=False,
        )

    def ends(
        self, exit_code: int, reason: str, started_at: str, finished_at: str, message: str
    ) -> ContainerState:
        terminated: Json = {
            "exitCode": exit_code,
            "reason": reason,
            "startedAt": started_at,
            "finishedAt": finished_at,
            "containerID": self.container_id,
        }
        if message:
            terminated["message"] = message
        return replace(self, state={"terminated": terminated}, ready=False, started=False)

    def as_json(self) -> Json:
        return {
            "name": self.name,
            "image": self.image,
            "imageID": self.image_id,
            "containerID": self.container_id,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restart_count,
        }

"""What a gateway says of one route: accepted as written or not, in use or not, and what of it cannot be used.

Between gateways and the operator it travels as JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pointsman.api import ObjectKey
from pointsman.errors import PointsmanError

PATH: Final = "/programming"
"""Where a gateway says it, beside its metrics."""


@dataclass(frozen=True, slots=True)
class RouteProgramming:
    """`accepted`: nothing of it is refused. `programmed`: this generation is in use.

    `message` is one stable line; empty where there is nothing to say. `unusable` are targets that this
    gateway cannot use, with the reason; `unresolved` is what else the route names and it may not read.
    """

    accepted: bool
    programmed: bool
    reason: str
    message: str
    generation: int
    unusable: tuple[tuple[str, str], ...] = ()
    unresolved: str = ""

    def to_json(self) -> dict[str, Any]:
        """As `from_json` reads it; what is empty is left out."""
        said: dict[str, Any] = {
            "accepted": self.accepted,
            "programmed": self.programmed,
            "reason": self.reason,
            "message": self.message,
            "generation": self.generation,
        }
        if self.unusable:
            said["unusable"] = dict(self.unusable)
        if self.unresolved:
            said["unresolved"] = self.unresolved
        return said

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "RouteProgramming":
        """Raises KeyError, TypeError or ValueError for what `to_json` did not write."""
        return cls(
            accepted=said["accepted"] is True,
            programmed=said["programmed"] is True,
            reason=str(said["reason"]),
            message=str(said["message"]),
            generation=int(said["generation"]),
            unusable=tuple(sorted((str(name), str(why)) for name, why in said.get("unusable", {}).items())),
            unresolved=str(said.get("unresolved", "")),
        )


def programming_json(revision: int, said: Mapping[ObjectKey, RouteProgramming]) -> str:
    """All that a gateway says; `revision` names this state of it."""
    routes = {str(key): one.to_json() for key, one in sorted(said.items())}
    return json.dumps({"revision": revision, "routes": routes})


def read_programming(text: str) -> tuple[int, dict[ObjectKey, RouteProgramming]]:
    """The reverse. Raises PointsmanError for what no gateway of ours says."""
    try:
        document = json.loads(text)
        routes = {}
        for name, said in document["routes"].items():
            namespace, _, plain = name.partition("/")
            routes[ObjectKey(namespace, plain)] = RouteProgramming.from_json(said)
        return int(document["revision"]), routes
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise PointsmanError(f"what a gateway says of its routes cannot be read ({error!r})") from error

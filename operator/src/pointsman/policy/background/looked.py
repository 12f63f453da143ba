"""What a look in the background is given, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pointsman.policy.background.beside import Beside
from pointsman.policy.parameters import Value

ENVIRONMENT = "pointsman.dev/environment"


@dataclass(frozen=True)
class Looked:
    """One object, with its defaults, and everything that its verdict depends on."""

    obj: Mapping[str, Any]
    namespace_labels: Mapping[str, str]
    beside: Beside
    values: Mapping[str, Value]
    """The pack's parameters."""
    now: datetime

    @property
    def spec(self) -> Mapping[str, Any]:
        return self.obj.get("spec") or {}

    @property
    def pods(self) -> int:
        """How many replicas a ModelDeployment has, as its status says."""
        return int((self.obj.get("status") or {}).get("replicas") or 0)

    @property
    def is_production(self) -> bool:
        return self.namespace_labels.get(ENVIRONMENT, "") in self.listed("productionEnvironments")

    def annotation(self, name: str) -> str:
        annotations = (self.obj.get("metadata") or {}).get("annotations") or {}
        return str(annotations.get(f"compliance.pointsman.dev/{name}", "")).strip()

    def label(self, name: str) -> str:
        return str(((self.obj.get("metadata") or {}).get("labels") or {}).get(name, ""))

    def number(self, name: str) -> int:
        """A parameter that is a whole number."""
        return int(str(self.values[name]))

    def listed(self, name: str) -> tuple[str, ...]:
        """A parameter that is a list."""
        value = self.values[name]
        return value if isinstance(value, tuple) else (str(value),)


@dataclass(frozen=True)
class Judgement:
    """`broken` says what was found where the rule is broken, "" where it holds. A rule that is not for the
    object holds, and is no evidence.
    """

    broken: str = ""
    applies: bool = True


HOLDS = Judgement()
NOT_FOR_IT = Judgement(applies=False)

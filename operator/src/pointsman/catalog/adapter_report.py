"""What an agent tells of the adapters that it loads into its running engine. Pure.

An adapter is known by where it lies below the store, which follows from its source and revision.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from pointsman.errors import PointsmanError

PATH: Final = "/adapters"
"""Where an agent tells it."""

_DIGITS = 12
_LONGEST_TROUBLE = 1000


@dataclass(frozen=True, slots=True)
class ReportedAdapter:
    """`trouble` is why it is not loaded, "" where it is, or may be in a moment."""

    name: str
    path: str
    loaded: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class AdapterReport:
    """`list_digest` says which list the agent acts upon, "" for none."""

    list_digest: str
    adapters: tuple[ReportedAdapter, ...] = ()

    @property
    def all_loaded(self) -> bool:
        return all(one.loaded for one in self.adapters)

    def to_json(self) -> str:
        stated = [
            {"name": one.name, "path": one.path, "loaded": one.loaded, "trouble": one.trouble}
            for one in self.adapters
        ]
        return json.dumps({"list": self.list_digest, "adapters": stated})


def list_digest(text: str) -> str:
    """Tells lists apart."""
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def read_adapter_report(text: str) -> AdapterReport:
    """What an agent told. Raises PointsmanError for anything else."""
    try:
        stated: Any = json.loads(text)
        return AdapterReport(str(stated["list"]), tuple(_reported(one) for one in stated["adapters"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise PointsmanError("this is no report of an engine's adapters") from error


def _reported(stated: Any) -> ReportedAdapter:
    trouble = str(stated["trouble"])[:_LONGEST_TROUBLE]
    return ReportedAdapter(str(stated["name"]), str(stated["path"]), stated["loaded"] is True, trouble)

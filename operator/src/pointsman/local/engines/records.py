"""Records of engine processes in the state folder, so that the next `up` can adopt or end what this one
leaves.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pointsman.api import ObjectKey
from pointsman.local.processes import ProcessIdentity
from pointsman.local.state import read_json, to_json, write_whole


@dataclass(frozen=True)
class EngineRecord:
    """One engine process. `port` is 0 until it can answer; only then may it be adopted."""

    deployment: ObjectKey
    identity: ProcessIdentity
    port: int
    spec_hash: str

    def to_document(self) -> dict[str, Any]:
        return {
            "namespace": self.deployment.namespace,
            "deployment": self.deployment.name,
            "port": self.port,
            "specHash": self.spec_hash,
            **self.identity.to_document(),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self | None:
        """None if the document is not a record."""
        identity = ProcessIdentity.from_document(document)
        namespace, name = document.get("namespace"), document.get("deployment")
        port, spec_hash = document.get("port"), document.get("specHash")
        if identity is None or not (isinstance(namespace, str) and isinstance(name, str)):
            return None
        if not (isinstance(port, int) and isinstance(spec_hash, str)):
            return None
        return cls(ObjectKey(namespace, name), identity, port, spec_hash)


def record_path(engines: Path, deployment: ObjectKey, slot: int) -> Path:
    """`engines/<namespace>.<name>.<slot>.json`; names have dots, and slot and namespace have none."""
    return engines / f"{deployment.namespace}.{deployment.name}.{slot}.json"


def slot_of(path: Path) -> int:
    text = path.stem.rpartition(".")[2]
    return int(text) if text.isdecimal() else -1


def write_record(path: Path, record: EngineRecord) -> None:
    """Raises PointsmanError when it cannot be written."""
    write_whole(path, to_json(record.to_document()))


def read_records(engines: Path) -> dict[Path, EngineRecord | None]:
    """Every record of the folder; None for a file that is not one."""
    return {
        path: EngineRecord.from_document(read_json(path) or {}) for path in sorted(engines.glob("[!.]*.json"))
    }

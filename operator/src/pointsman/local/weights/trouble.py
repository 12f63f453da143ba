"""Why weights are not there: a reason for programs, and one line for people."""

import os
from pathlib import Path
from typing import Any, Self

from pointsman.errors import PointsmanError
from pointsman.local.state import DISK_FULL

MISSING_FILE = "FileNotFound"
MISSING_PACKAGE = "PackageNotFound"
MISSING_REPOSITORY = "RepositoryNotFound"
MISSING_REVISION = "RevisionNotFound"
ACCESS_DENIED = "AccessDenied"
AMBIGUOUS = "SourceAmbiguous"
CHECKSUM_MISMATCH = "ChecksumMismatch"
DISK_IS_FULL = "DiskFull"
UNREACHABLE = "SourceUnreachable"
UNREADABLE = "Unreadable"
UNSUPPORTED = "SourceNotSupported"


class WeightsError(PointsmanError):
    """Weights could not be had; `reason` is the condition's reason."""

    def __init__(self, reason: str, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.reason = reason

    def to_document(self) -> dict[str, str]:
        return {"reason": self.reason, "what": self.what, "where": self.where, "todo": self.todo}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        return cls(document["reason"], document["what"], where=document["where"], todo=document["todo"])


def from_os_error(error: OSError, path: Path) -> WeightsError:
    """The trouble with reading or writing a weights file."""
    if error.errno in DISK_FULL:
        return WeightsError(
            DISK_IS_FULL,
            "the disk is full while weights are written",
            where=str(path.parent),
            todo="free some space; what has arrived is kept and the rest is fetched again later",
        )
    if isinstance(error, FileNotFoundError):
        return WeightsError(
            MISSING_FILE,
            "no such weights file",
            where=str(path),
            todo="put the file there or correct spec.model.source",
        )
    return WeightsError(
        UNREADABLE,
        f"cannot be used ({os.strerror(error.errno or 0)})",
        where=str(path),
        todo="check owner and permissions",
    )

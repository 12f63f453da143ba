"""Why weights are not there: one word for programs, one line for people."""

import errno
import os
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from pointsman.errors import PointsmanError

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Reason(StrEnum):
    """The condition's reason; the operator reads it from the container's last line."""

    ACCESS_DENIED = "AccessDenied"
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    PACKAGE_NOT_FOUND = "PackageNotFound"
    FILE_NOT_FOUND = "FileNotFound"
    SOURCE_AMBIGUOUS = "SourceAmbiguous"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    DISK_FULL = "DiskFull"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_NOT_SUPPORTED = "SourceNotSupported"
    CREDENTIALS_UNREADABLE = "CredentialsUnreadable"
    UNREADABLE = "Unreadable"


class WeightsError(PointsmanError):
    """Weights could not be had."""

    def __init__(self, reason: Reason, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.reason = reason

    def last_line(self) -> str:
        """`Reason: where: what; todo`."""
        return f"{self.reason}: {' '.join(str(self).split())}"

    def to_document(self) -> dict[str, str]:
        """From one process to another."""
        return {"reason": self.reason.value, "what": self.what, "where": self.where, "todo": self.todo}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> Self:
        reason = Reason(document["reason"])
        return cls(reason, document["what"], where=document["where"], todo=document["todo"])


def mismatch(where: str, expected: str, got: str, todo: str) -> WeightsError:
    """Weights that are others than they should be."""
    what = f"sha256 is {got}, expected {expected}"
    return WeightsError(Reason.CHECKSUM_MISMATCH, what, where=where, todo=todo)


def too_large(needed_bytes: int, free_bytes: int, folder: Path) -> WeightsError:
    """Weights for which there is no room, found before they are written."""
    return WeightsError(
        Reason.DISK_FULL,
        f"{needed_bytes / 1e6:.0f} MB are needed and {free_bytes / 1e6:.0f} MB are free",
        where=str(folder),
        todo="free some space; what has arrived is kept and the rest is fetched again later",
    )


def from_os_error(error: OSError, path: Path) -> WeightsError:
    """The trouble with reading or writing a weights file."""
    if error.errno in _DISK_FULL:
        return WeightsError(
            Reason.DISK_FULL,
            "the disk is full while weights are written",
            where=str(path.parent),
            todo="free some space; what has arrived is kept and the rest is fetched again later",
        )
    if isinstance(error, FileNotFoundError):
        return WeightsError(
            Reason.FILE_NOT_FOUND,
            "no such weights file",
            where=str(path),
            todo="put the file there or correct spec.model.source",
        )
    if error.errno is None:
        # Not of this machine's files: libraries tell so of answers that are not whole.
        return WeightsError(
            Reason.SOURCE_UNREACHABLE,
            str(error).partition("\n")[0] or type(error).__name__,
            where=str(path),
            todo="it is tried again by itself",
        )
    return WeightsError(
        Reason.UNREADABLE,
        f"cannot be used ({os.strerror(error.errno)})",
        where=str(path),
        todo="check owner and permissions",
    )

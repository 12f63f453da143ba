"""Why weights did not come: one word for programs, one line for people."""

from enum import StrEnum

from pointsman.errors import PointsmanError


class Reason(StrEnum):
    """The operator reads it from the container's last line, and makes it the condition's reason."""

    ACCESS_DENIED = "AccessDenied"
    REPOSITORY_NOT_FOUND = "RepositoryNotFound"
    REVISION_NOT_FOUND = "RevisionNotFound"
    FILE_NOT_FOUND = "FileNotFound"
    SOURCE_AMBIGUOUS = "SourceAmbiguous"
    CHECKSUM_MISMATCH = "ChecksumMismatch"
    DISK_FULL = "DiskFull"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_NOT_SUPPORTED = "SourceNotSupported"
    CREDENTIALS_UNREADABLE = "CredentialsUnreadable"


class FetchError(PointsmanError):
    """Weights could not be had."""

    def __init__(self, reason: Reason, what: str, *, where: str = "", todo: str = "") -> None:
        super().__init__(what, where=where, todo=todo)
        self.reason = reason

    def last_line(self) -> str:
        """`Reason: where: what; todo`."""
        return f"{self.reason}: {' '.join(str(self).split())}"

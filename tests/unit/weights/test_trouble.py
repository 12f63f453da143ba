"""What goes wrong with files is said in words that help."""

import errno
from pathlib import Path

import pytest

from pointsman.weights.trouble import Reason, from_os_error

TROUBLE = {
    "a full disk": (
        OSError(errno.ENOSPC, "No space left on device"),
        Reason.DISK_FULL,
        "the disk is full while weights are written",
    ),
    "a quota": (
        OSError(errno.EDQUOT, "Quota"),
        Reason.DISK_FULL,
        "the disk is full while weights are written",
    ),
    "no right": (
        PermissionError(errno.EACCES, "no"),
        Reason.UNREADABLE,
        "cannot be used (Permission denied)",
    ),
    "an answer that is not whole, as a library tells it": (
        OSError("Consistency check failed: file should be of size 7 but has size 3.\nTry again."),
        Reason.SOURCE_UNREACHABLE,
        "Consistency check failed: file should be of size 7 but has size 3.",
    ),
}


@pytest.mark.parametrize(("error", "reason", "what"), TROUBLE.values(), ids=TROUBLE.keys())
def test_it_is_said(error: OSError, reason: Reason, what: str) -> None:
    found = from_os_error(error, Path("/weights/a"))
    assert (found.reason, found.what) == (reason, what)

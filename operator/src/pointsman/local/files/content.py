"""Reading files that others put into a watched folder, without ever waiting for one."""

import stat
from pathlib import Path


class NotRegularError(Exception):
    """A folder, a named pipe, a socket or a device stands where a file should be."""

    what = "not a regular file"
    todo = "remove or replace it"


def regular_content(path: Path, largest_bytes: int = -1) -> bytes:
    """At most so many bytes of a file, all by default.

    Raises NotRegularError before opening what is no file: to open a named pipe waits until somebody writes.
    Raises OSError when it cannot be read.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise NotRegularError(NotRegularError.what)
    with path.open("rb") as file:
        return file.read(largest_bytes)

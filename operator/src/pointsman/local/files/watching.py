"""Noticing that files changed, by looking at them a few times a second.

Looking instead of inotify: it works on network and container file systems, follows renames and symbolic
links, needs nothing of the few inotify instances a machine has, and covers files of Secrets anywhere. An
edit counts once the file looked the same twice in a row, so that a file that an editor has emptied and not
yet written, or moved away and not yet replaced, is not taken for a deletion.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

POLL_SECONDS = 0.2
"""Between two looks. An edit is noticed after one to two of them; a removed key must be gone within a
second.
"""

Fingerprint = tuple[int, int, int, int] | None
"""Device, inode, size and modification time in nanoseconds; None where there is no file."""

_SUFFIXES = frozenset((".yaml", ".yml"))


def fingerprint(path: Path) -> Fingerprint:
    """What tells one state of a file from another; None if it cannot be looked at.

    A symbolic link whose target is gone is not gone itself: it looks as the link does.
    """
    try:
        try:
            found = path.stat()
        except FileNotFoundError:
            found = path.lstat()
    except (OSError, ValueError):
        # A name with a NUL in it is a ValueError.
        return None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def manifest_files(
    paths: Iterable[Path], on_unreadable: Callable[[OSError], None] | None = None
) -> Iterator[Path]:
    """The manifests below paths: files as given, folders with everything below that ends in .yaml or .yml.

    Hidden files and folders are left out: editors and version control keep their own things there. A folder
    that cannot be listed is told to `on_unreadable`, its name in the error, and counts as empty.
    """
    seen: set[Path] = set()
    for path in paths:
        for file in _below(path, on_unreadable) if os.path.isdir(path) else (path,):
            if file not in seen:
                seen.add(file)
                yield file


def _below(folder: Path, on_unreadable: Callable[[OSError], None] | None) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder, onerror=on_unreadable):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith(".") and os.path.splitext(name)[1] in _SUFFIXES:
                yield Path(parent, name)


def is_gone(path: Path) -> bool:
    """Whether there is no such file, told from one that cannot be looked at (no permission, a disk that
    fails).
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


class SettledChanges:
    """Remembers how files looked, and reports each change once it has settled."""

    def __init__(self) -> None:
        self._settled: dict[Path, Fingerprint] = {}
        self._last_look: dict[Path, Fingerprint] = {}

    def first_look(self, files: Iterable[Path]) -> list[Path]:
        """Take the files as they are now; all of them are new."""
        self._settled = {file: fingerprint(file) for file in files}
        self._last_look = dict(self._settled)
        return list(self._settled)

    def look(self, files: Iterable[Path]) -> list[Path]:
        """Files that changed, appeared or are gone since they were last reported, and look as they did last
        time.
        """
        look = {file: fingerprint(file) for file in files}
        known = look.keys() | self._settled.keys() | self._last_look.keys()
        changed = [
            file
            for file in sorted(known)
            if look.get(file) != self._settled.get(file) and look.get(file) == self._last_look.get(file)
        ]
        for file in changed:
            if look.get(file) is None:
                self._settled.pop(file, None)
            else:
                self._settled[file] = look[file]
        self._last_look = look
        return changed

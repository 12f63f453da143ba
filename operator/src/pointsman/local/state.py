"""The state folder: who holds it, and files in it that are always whole.

    lock                                    held by the one `pointsman up` that runs on the folder
    up.json                                 where that one listens
    findings.json                           what is wrong in its files now
    gateway/                                Envoy's bootstrap and sockets, made anew by each start
    objects/<Kind>/<namespace>/<name>.json  the objects with their status
    engines/<replica>.json                  engine processes, for adoption by the next start
    logs/<name>.log                         what engines and the gateway said

Everything is readable by its owner alone: prompts may be quoted in engine logs.
"""

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pointsman.errors import PointsmanError

# A write past a quota or a file-size limit is the same trouble to a person as a full disk.
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# `holder` takes the lock for an instant to find out whether it is held: a start must not take that for
# another `up`.
_LOCK_ATTEMPTS, _LOCK_PAUSE_SECONDS = 5, 0.02

CLUSTER_SCOPE = "_cluster"
"""Stands for the namespace of objects that have none."""


def default_state_path(environment: Mapping[str, str]) -> Path:
    """`$XDG_STATE_HOME/pointsman/local`, by default below `~/.local/state`."""
    home = environment.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "pointsman" / "local"


def default_cache_path(environment: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/pointsman`, by default below `~/.cache`."""
    home = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "pointsman"


def unwritable(path: Path, error: OSError) -> PointsmanError:
    """One line for a file that could not be written."""
    if error.errno in DISK_FULL:
        return PointsmanError(
            "the disk is full", where=str(path), todo="free some space; it is written again later"
        )
    return PointsmanError(
        f"cannot be written ({os.strerror(error.errno or 0)})",
        where=str(path),
        todo="check the folder's owner and permissions, or choose another with --state-dir",
    )


def write_whole(path: Path, content: bytes, *, outlasts_power: bool = True) -> None:
    """Replace a file so that a reader, or a crash, sees the former content or this one and nothing between;
    after the machine lost power too, unless `outlasts_power` is false, which spares waiting for the disk.

    Raises PointsmanError when it cannot be written; the former content then stays.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with partial.open("wb") as file:
            file.write(content)
            if outlasts_power:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        # Where nothing can be written there is nothing to remove either: the first error is the one to tell.
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def remove(path: Path) -> None:
    """Remove the record of a process, if that can be done: one that stays names a process that is gone, and
    the next start finds that out.
    """
    with suppress(OSError):
        path.unlink(missing_ok=True)


def to_json(document: Any) -> bytes:
    """Stable bytes: equal documents are equal files."""
    text = json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False)
    # Names of files may be no text: `json` reads such bytes back as it wrote them.
    return text.encode("utf-8", "surrogatepass") + b"\n"


def read_json(path: Path) -> dict[str, Any] | None:
    """The document in a file, or None where there is none or it is not one (a half-copied state folder)."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


class StateFolder:
    """Paths inside one state folder, and its lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.engines = path / "engines"
        self.logs = path / "logs"
        self.gateway = path / "gateway"
        self._findings = path / "findings.json"
        self._objects = path / "objects"
        self._lock = path / "lock"
        self._up = path / "up.json"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for as long as the block runs. Raises PointsmanError if another process holds
        it.
        """
        try:
            for folder in (self.path, self.engines, self.logs, self._objects):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise unwritable(self.path, error) from error
        try:
            self._take(descriptor)
            try:
                yield
            finally:
                # A folder that was removed or sealed meanwhile; `read_up` believes it only while one runs.
                with suppress(OSError):
                    self._up.unlink(missing_ok=True)
        finally:
            # The file stays: unlinking it would let a third process lock a new file while a second waits on
            # this one.
            os.close(descriptor)

    def _take(self, descriptor: int) -> None:
        for attempt in range(_LOCK_ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if attempt < _LOCK_ATTEMPTS - 1:
                    time.sleep(_LOCK_PAUSE_SECONDS)
                    continue
                raise self._is_held() from None
            break
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid()}).encode(), 0)

    def holder(self) -> int | None:
        """The process id of the `up` that runs on this folder, None if none does."""
        try:
            descriptor = os.open(self._lock, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return self._holder()
        finally:
            os.close(descriptor)
        return None

    def refuse_if_held(self) -> None:
        """Raises PointsmanError if an `up` runs on this folder; `held` does too, and keeps it."""
        if self.holder() is not None:
            raise self._is_held()

    def _is_held(self) -> PointsmanError:
        return PointsmanError(
            f"another `pointsman up` (pid {self._holder() or 'unknown'}) runs on {self.path}",
            todo="stop it or choose --state-dir",
        )

    def _holder(self) -> int | None:
        document = read_json(self._lock) or {}
        pid = document.get("pid")
        return pid if isinstance(pid, int) else None

    def write_up(self, document: dict[str, Any]) -> None:
        """Say where this `up` listens, for `get`, `explain` and `demo`."""
        write_whole(self._up, to_json(document))

    def read_up(self) -> dict[str, Any]:
        """What the running `up` said, empty if none runs."""
        return (read_json(self._up) or {}) if self.holder() is not None else {}

    def write_findings(self, findings: list[dict[str, Any]]) -> None:
        """Keep what is wrong in the files, for `get`."""
        write_whole(self._findings, to_json({"findings": findings}))

    def read_findings(self) -> list[dict[str, Any]]:
        found = (read_json(self._findings) or {}).get("findings", [])
        return found if isinstance(found, list) else []

    def object_path(self, kind: str, namespace: str, name: str) -> Path:
        return self._objects / kind / (namespace or CLUSTER_SCOPE) / f"{name}.json"

    def object_paths(self, kind: str) -> list[Path]:
        """Files of all stored objects of a kind, by namespace and name."""
        return sorted((self._objects / kind).glob("*/[!.]*.json"))

    def objects(self, kind: str) -> list[dict[str, Any]]:
        """All stored objects of a kind, by namespace and name."""
        found = (read_json(path) for path in self.object_paths(kind))
        return [document for document in found if document is not None]

    def log_path(self, name: str) -> Path:
        return self.logs / f"{name}.log"

"""The child process that brings weights: `python -m pointsman.local.weights.fetch`.

A process of its own, because a download can then be stopped at any moment, and what a large file does to
memory and to the interpreter's lock stays away from the endpoint. One JSON document comes in on standard
input (the source and, if there is one, the token: never on the command line); JSON lines go out: progress,
then the path or the trouble.
"""

import fcntl
import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pointsman.errors import PointsmanError
from pointsman.local.weights import checksum
from pointsman.local.weights.located import package_path
from pointsman.local.weights.source import FileSource, HubSource, PackageSource, WeightsSource, parse_source
from pointsman.weights.packages import assemble, find_packaged
from pointsman.weights.trouble import Reason, WeightsError, from_os_error, mismatch

# Often enough for a bar that moves, and for noticing within a second that the parent is gone.
_REPORT_SECONDS = 0.5


class Report:
    """Tells the parent how far the work is, at a steady pace; ends the process when nobody listens."""

    def __init__(self) -> None:
        self._stage, self._done, self._total = "starts", 0, 0
        self._growing: Path | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._tell, daemon=True).start()

    def begin(self, stage: str, total_bytes: int = 0) -> None:
        self._stage, self._done, self._total = stage, 0, total_bytes
        self._growing = None

    def progress(self, done_bytes: int) -> None:
        self._done = done_bytes

    def watch(self, growing: Path, total_bytes: int) -> None:
        """The size of this file is how far the stage is."""
        self._growing, self._total = growing, total_bytes

    def end(self, document: dict[str, Any]) -> None:
        self._ended.set()
        self._write(document)

    def _tell(self) -> None:
        while not self._ended.wait(_REPORT_SECONDS):
            if self._growing is not None and self._growing.exists():
                self._done = self._growing.stat().st_size
            self._write({"stage": self._stage, "doneBytes": self._done, "totalBytes": self._total})

    def _write(self, document: dict[str, Any]) -> None:
        try:
            sys.stdout.write(json.dumps(document) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            os._exit(1)


@contextmanager
def _alone(source: WeightsSource, cache: Path) -> Iterator[None]:
    """One process at a time brings one source into the cache: two starts do not write the same file."""
    folder = cache / "weights" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    name = hashlib.sha256(str(source).encode()).hexdigest()[:32]
    descriptor = os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def bring(source: WeightsSource, sha256: str | None, token: str | None, cache: Path, report: Report) -> Path:
    """Fetch or put together what is missing, check it, and return the file. Raises WeightsError."""
    path = cache
    try:
        report.begin("waits for another fetch")
        with _alone(source, cache):
            path = _bring(source, token, cache, report)
        if sha256 is not None:
            _check(source, path, sha256, cache, report)
    except OSError as error:
        raise from_os_error(
            error, Path(error.filename) if isinstance(error.filename, str) else path
        ) from error
    return path


def _bring(source: WeightsSource, token: str | None, cache: Path, report: Report) -> Path:
    match source:
        case FileSource(path):
            if not path.is_file():
                raise WeightsError(
                    Reason.FILE_NOT_FOUND,
                    "no such weights file",
                    where=str(path),
                    todo="put the file there or correct spec.model.source",
                )
            return path
        case PackageSource():
            packaged = find_packaged(source.distribution, source.version)
            target = package_path(packaged, cache)
            if target.is_file() and (
                packaged.is_whole or checksum.known_sha256(target, cache) == packaged.sha256
            ):
                return target
            report.begin("puts together", packaged.size_bytes)
            assemble(packaged, target, report.progress)
            checksum.remember_sha256(target, cache, packaged.sha256)
            return target
        case HubSource():
            # Imported here: the other sources work without the library, and start half a second sooner.
            from pointsman.local.weights import hub

            report.begin("fetches")
            return hub.fetch(source, token, cache, report.watch)


def _check(source: WeightsSource, path: Path, sha256: str, cache: Path, report: Report) -> None:
    got = checksum.known_sha256(path, cache)
    if got is None:
        report.begin("checks", path.stat().st_size)
        got = checksum.compute_sha256(path, cache, report.progress)
    if got != sha256:
        where = str(path) if isinstance(source, FileSource) else str(source)
        raise mismatch(where, sha256, got, "correct spec.model.sha256, or replace the weights")


def main() -> None:
    request = json.load(sys.stdin)
    report = Report()
    try:
        source = parse_source(request["source"], request["revision"], beside=Path(request["beside"]))
        path = bring(source, request["sha256"], request["token"], Path(request["cache"]), report)
    except WeightsError as error:
        report.end({"trouble": error.to_document()})
    except PointsmanError as error:
        # What is remembered of the weights cannot be kept.
        trouble = WeightsError(Reason.UNREADABLE, error.what, where=error.where, todo=error.todo)
        report.end({"trouble": trouble.to_document()})
    else:
        report.end({"path": str(path)})


if __name__ == "__main__":
    main()

"""Checksums of weights files, remembered: reading 30 GB again at each start would take a minute.

A remembered checksum holds for as long as the file's size, inode and modification time are the same.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path

from pointsman.local.state import read_json, to_json, write_whole

_BLOCK_BYTES = 4 * 1024 * 1024


def _identity(path: Path) -> dict[str, int]:
    found = path.stat()
    return {"size": found.st_size, "inode": found.st_ino, "modifiedNanoseconds": found.st_mtime_ns}


def _memory(path: Path, cache: Path) -> Path:
    name = hashlib.sha256(str(path).encode()).hexdigest()[:32]
    return cache / "checksums" / f"{name}.json"


def known_sha256(path: Path, cache: Path) -> str | None:
    """The remembered checksum of a file, None if it was never computed or the file has changed since."""
    document = read_json(_memory(path, cache)) or {}
    sha256 = document.pop("sha256", None)
    document.pop("path", None)
    return sha256 if isinstance(sha256, str) and document == _identity(path) else None


def remember_sha256(path: Path, cache: Path, sha256: str) -> None:
    """Keep a checksum that was computed while the file was written."""
    write_whole(_memory(path, cache), to_json({**_identity(path), "sha256": sha256, "path": str(path)}))


def compute_sha256(path: Path, cache: Path, progress: Callable[[int], None]) -> str:
    """Read the file and remember its checksum; `progress` hears the bytes read so far."""
    before = _identity(path)
    digest = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            progress(done)
    if _identity(path) == before:
        remember_sha256(path, cache, digest.hexdigest())
    return digest.hexdigest()

"""Small Go programs that say what Kubernetes' own code would, built once into the cache.

A program is a folder of tests/support with go.mod and main.go.
"""

import hashlib
import os
import subprocess
from pathlib import Path

_SOURCES = Path(__file__).parent


def built(name: str) -> Path:
    """The program of that folder, built if its sources or the compiler changed. RuntimeError if Go fails."""
    folder = _SOURCES / name
    digest = hashlib.sha256(_run(["go", "version"], folder).encode())
    for source in sorted(folder.iterdir()):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    program = _cache() / f"{name}-{digest.hexdigest()[:16]}"
    if not program.exists():
        program.parent.mkdir(parents=True, exist_ok=True)
        unfinished = program.with_name(f"{program.name}.{os.getpid()}")
        _run(["go", "build", "-trimpath", "-buildvcs=false", "-o", str(unfinished), "."], folder)
        unfinished.rename(program)  # two test runs at once build twice and one wins
    return program


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pointsman" / "go-programs"


def _run(command: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "CGO_ENABLED": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        raise RuntimeError("the tests need Go, to compare with Kubernetes' own code; install it") from None
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} in {folder}: {done.stderr.strip()}")
    return done.stdout

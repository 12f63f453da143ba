"""Builds the control plane's programs from source, once: `python -m tests.support.cluster.build [oldest]`.

tests/controlplane names the versions, and tests/controlplane/oldest those of the oldest Kubernetes that we
support. KUBEBUILDER_ASSETS names a folder with the programs to use instead of the former.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[2] / "controlplane"


@dataclass(frozen=True)
class Program:
    """A program, its package, and the folder of tests/controlplane whose module requires that."""

    name: str
    package: str
    module: str = "."


PROGRAMS = (
    Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    Program("etcd", "go.etcd.io/etcd/server/v3"),
    Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", "kwok"),
)

OLDEST_PROGRAMS = tuple(
    replace(program, module="oldest") if program.package.startswith("k8s.io/kubernetes/") else program
    for program in PROGRAMS
)
"""The same with the oldest Kubernetes that we support; etcd and KWOK are one's own choice there too."""

_GO = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def built_control_plane(environment: Mapping[str, str] = os.environ) -> Path:
    """The folder with all programs, built where it is missing (about seven minutes on two cores).

    Two test runs at once build it once. Raises RuntimeError, with what Go said, where that is not possible.
    """
    assets = environment.get("KUBEBUILDER_ASSETS")
    if assets:
        _require_all(Path(assets))
        return Path(assets)
    return _built(PROGRAMS, environment)


def built_oldest_control_plane(environment: Mapping[str, str] = os.environ) -> Path:
    """The same of the oldest Kubernetes that we support; always built."""
    return _built(OLDEST_PROGRAMS, environment)


def _built(programs: Sequence[Program], environment: Mapping[str, str]) -> Path:
    folder = cache_folder(environment, programs)
    if missing(folder, programs):
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for program in missing(folder, programs):
                _build(program, folder)
    return folder


def missing(folder: Path, programs: Sequence[Program] = PROGRAMS) -> tuple[Program, ...]:
    """The programs that are not in the folder."""
    return tuple(program for program in programs if not (folder / program.name).exists())


def cache_folder(environment: Mapping[str, str] = os.environ, programs: Sequence[Program] = PROGRAMS) -> Path:
    """Where the programs of these sources, built by this compiler, are or will be."""
    digest = hashlib.sha256(_go(["version"], SOURCES).encode())
    modules = {program.module for program in programs}
    sources = (source for module in modules for source in (SOURCES / module).glob("go.*"))
    for source in sorted(sources):
        digest.update(str(source.relative_to(SOURCES)).encode() + b"\0" + source.read_bytes())
    for program in programs:
        digest.update(repr(program).encode())
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "pointsman" / "control-plane" / digest.hexdigest()[:16]


def kubernetes_version(module: str = ".") -> str:
    """The version that a module of tests/controlplane builds, such as v1.36.3."""
    required = SOURCES / module / "go.mod"
    found = re.search(r"k8s\.io/kubernetes (v[0-9.]+)", required.read_text())
    if found is None:
        raise RuntimeError(f"{required} does not require k8s.io/kubernetes")
    return found[1]


def _build(program: Program, folder: Path) -> None:
    began = time.monotonic()
    unfinished = folder / f"{program.name}.{os.getpid()}"
    print(f" … {program.name:<24} is built, for minutes and once", file=sys.stderr, flush=True)
    flags = ["-trimpath", "-ldflags", _linker_flags(program), "-o", str(unfinished)]
    _go(["build", *flags, program.package], SOURCES / program.module)
    unfinished.rename(folder / program.name)
    print(f" ✓ {program.name:<24} {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def _linker_flags(program: Program) -> str:
    """Without a stamp Kubernetes calls itself v0.0.0-master, and clients choose what they send by version."""
    if not program.package.startswith("k8s.io/kubernetes/"):
        return "-s -w"
    version = kubernetes_version(program.module)
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
    named = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in stamps.items())
    return f"-s -w {named}"


def _go(arguments: list[str], folder: Path) -> str:
    try:
        done = subprocess.run(
            ["go", *arguments],
            cwd=folder,
            env={**os.environ, **_GO},
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        todo = "install it, or name a folder with the programs in KUBEBUILDER_ASSETS"
        raise RuntimeError(
            f"the tests build a Kubernetes control plane and need Go 1.26 or newer; {todo}"
        ) from None
    if done.returncode != 0:
        raise RuntimeError(f"go {' '.join(arguments)} in {folder}: {done.stderr.strip()[-4000:]}")
    return done.stdout


def _require_all(folder: Path) -> None:
    absent = ", ".join(program.name for program in missing(folder))
    if absent:
        raise RuntimeError(
            f"KUBEBUILDER_ASSETS is {folder}, which lacks {absent}; unset it, and they are built"
        )


def main() -> None:
    try:
        folder = built_oldest_control_plane() if sys.argv[1:] == ["oldest"] else built_control_plane()
    except RuntimeError as error:
        sys.exit(f" ✗ control plane          {error}")
    print(folder)


if __name__ == "__main__":
    main()

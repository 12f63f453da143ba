"""Weights that are on this machine already: found without a network, a child process or reading the file."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pointsman.local.state import read_json, to_json, write_whole
from pointsman.local.weights.checksum import known_sha256
from pointsman.local.weights.source import FileSource, HubSource, PackageSource, WeightsSource
from pointsman.weights.packages import PackagedWeights, find_packaged
from pointsman.weights.shards import total_bytes


@dataclass(frozen=True)
class Weights:
    """A weights file that may be used, the first of them where a model is split over several; `size_bytes` is
    of all. `origin` says in words where it came from, `terms` where its licence
    is: an address that the catalogue knows, else a file beside the weights.
    """

    path: Path
    size_bytes: int
    origin: str
    terms: str = ""


def hub_folder(repository: str, commit: str, cache: Path) -> Path:
    """Where the files of a commit of the hub are kept, as they lie in the repository."""
    return cache / "weights" / "hub" / repository.replace("/", "--") / commit


def package_path(packaged: PackagedWeights, cache: Path) -> Path:
    """Where a package's file is, or will be once it is put together."""
    if packaged.is_whole:
        return packaged.parts[0]
    return cache / "weights" / "packages" / packaged.sha256[:16] / packaged.name


def _hub_memory(source: HubSource, cache: Path) -> Path:
    name = hashlib.sha256(f"{source}@{source.revision}".encode()).hexdigest()[:32]
    return cache / "weights" / "hub" / "resolved" / f"{name}.json"


def remember_hub(source: HubSource, cache: Path, path: Path) -> None:
    """Keep where a source led, so that the next start needs no network."""
    write_whole(
        _hub_memory(source, cache),
        to_json({"source": str(source), "revision": source.revision, "path": str(path)}),
    )


def locate(source: WeightsSource, sha256: str | None, cache: Path) -> Weights | None:
    """The weights if they are here and known to be right; None if they must be fetched, put together or
    checked.

    A `sha256` that was never compared with the file means None. Raises WeightsError for a package that is
    missing or not built by the rule.
    """
    match source:
        case FileSource(path):
            origin, terms = "a file", ""
        case HubSource():
            document = read_json(_hub_memory(source, cache)) or {}
            path, origin, terms = Path(str(document.get("path", ""))), "the hub's cache", ""
        case PackageSource():
            packaged = find_packaged(source.distribution, source.version)
            path, origin = package_path(packaged, cache), "the package cache"
            terms = "" if packaged.terms is None else str(packaged.terms)
            if not packaged.is_whole and path.is_file() and known_sha256(path, cache) != packaged.sha256:
                return None
    if not path.is_file():
        return None
    if sha256 is not None and known_sha256(path, cache) != sha256:
        return None
    return Weights(path, total_bytes(path), origin, terms)

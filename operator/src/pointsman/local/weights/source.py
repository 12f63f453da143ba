"""Reading `model.source`: which of the three kinds of place local mode takes weights from."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from pointsman.errors import PointsmanError
from pointsman.weights.selection import stays_below

# PEP 508's names, and what the hub allows in a name.
_PACKAGE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_HUB = re.compile(r"(?P<repository>[A-Za-z0-9._-]+/[A-Za-z0-9._-]+)(/(?P<file>.+))?")


@dataclass(frozen=True)
class FileSource:
    """A file of this machine."""

    path: Path


@dataclass(frozen=True)
class HubSource:
    """A file of a Hugging Face repository; with an empty `file`, its only GGUF file."""

    repository: str
    file: str
    revision: str

    def __str__(self) -> str:
        return f"hf://{self.repository}/{self.file}" if self.file else f"hf://{self.repository}"


@dataclass(frozen=True)
class PackageSource:
    """An installed Python distribution that brings a GGUF file, whole or in parts."""

    distribution: str
    version: str = ""
    """"" for the one that is installed."""

    def __str__(self) -> str:
        return f"package://{self.distribution}"


WeightsSource = FileSource | HubSource | PackageSource


def parse_source(source: str, revision: str, *, beside: Path) -> WeightsSource:
    """The place a source names; relative `file://` paths are below `beside`, the folder of the YAML file.

    Raises PointsmanError for what local mode cannot fetch.
    """
    scheme, _, rest = source.partition("://")
    match scheme:
        case "file":
            # A home that nobody has is left as it is, and then found missing.
            return FileSource((beside / os.path.expanduser(rest)).absolute())
        case "package" if _PACKAGE.fullmatch(rest):
            return PackageSource(rest, revision)
        case "package":
            raise PointsmanError(f"{source} names no Python package", todo="write package://NAME")
        case "hf":
            found = _HUB.fullmatch(rest)
            if found is None or not stays_below(found["file"] or "."):
                raise PointsmanError(
                    f"{source} names no repository", todo="write hf://OWNER/NAME or hf://OWNER/NAME/FILE"
                )
            return HubSource(found["repository"], found["file"] or "", revision or "main")
        case _:
            raise PointsmanError(
                f"{scheme}:// weights cannot be fetched in local mode",
                todo="use a file://, hf:// or package:// source",
            )

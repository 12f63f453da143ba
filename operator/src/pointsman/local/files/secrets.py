"""Secrets of local mode: values that stand in the manifest, in the environment, or in a file beside it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pointsman.api import Secret
from pointsman.api.findings import Finding
from pointsman.api.located import Located
from pointsman.api.secret import ENVIRONMENT_PREFIX, FILE_PREFIX
from pointsman.local.files.content import NotRegularError, regular_content

# Kubernetes' bound for a whole Secret.
_LARGEST_BYTES = 1024 * 1024


@dataclass(frozen=True)
class ResolvedSecret:
    """A Secret with every value that could be found; a key whose value is missing has none."""

    secret: Secret
    findings: tuple[Finding, ...]


def secret_files(located: Located[Secret]) -> dict[str, Path]:
    """Key -> file; relative paths are below the manifest's folder."""
    folder = Path(located.file).parent
    # A home that nobody has is left as it is, and then found missing.
    return {key: folder / os.path.expanduser(name) for key, name in located.resource.files.items()}


def resolve(located: Located[Secret], environment: Mapping[str, str]) -> ResolvedSecret:
    """Read the values that the annotations name. Never raises: what is missing is a finding."""
    values: dict[str, str] = {}
    findings: list[Finding] = []

    def missing(annotation: str, what: str, todo: str) -> None:
        findings.append(located.finding(("metadata", "annotations", annotation), what, todo))

    for key, variable in located.resource.environment_variables.items():
        value = environment.get(variable, "")
        if value:
            values[key] = value
        else:
            todo = f"export {variable} and start again, or use a file"
            missing(f"{ENVIRONMENT_PREFIX}{key}", f"the environment variable {variable} is not set", todo)
    for key, path in secret_files(located).items():
        try:
            values[key] = _read(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            todo = "write the value into it; it is read again by itself"
            missing(f"{FILE_PREFIX}{key}", f"{path} cannot be read ({reason})", todo)
    return ResolvedSecret(
        located.resource.with_values(values) if values else located.resource, tuple(findings)
    )


def _read(path: Path) -> str:
    try:
        content = regular_content(path, _LARGEST_BYTES + 1)
    except NotRegularError as error:
        raise ValueError(str(error)) from None
    if len(content) > _LARGEST_BYTES:
        raise ValueError("larger than 1 MiB")
    try:
        # Editors end a file with a newline, which is not part of a key.
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8 text") from None
    if not value:
        raise ValueError("empty")
    return value

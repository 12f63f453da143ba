"""Our kinds in a cluster: their definitions, applied and served."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.polling import eventually
from tests.support.processes import REPOSITORY

CRDS = REPOSITORY / "crds"

_SERVED_SECONDS = 60.0


def install_definitions(admin: Admin, folder: Path = CRDS) -> None:
    """Apply CustomResourceDefinitions and wait until objects of their kinds can be listed."""
    for definition in admin.apply_files(folder):
        wait_served(admin, definition)


def wait_served(admin: Admin, definition: Mapping[str, Any]) -> None:
    """Wait until objects of a CustomResourceDefinition can be listed: a moment after it is established."""
    kind = definition["spec"]["names"]["kind"]
    for version in definition["spec"]["versions"]:
        api_version = f"{definition['spec']['group']}/{version['name']}"
        served = functools.partial(_is_served, admin, api_version, kind)
        eventually(served, _SERVED_SECONDS, f"{kind} is served")


def _is_served(admin: Admin, api_version: str, kind: str) -> bool:
    try:
        admin.list(api_version, kind)
    except (ApiError, LookupError) as error:
        # 404 before it is established, 429 while its storage begins.
        raise AssertionError(str(error)) from error
    return True

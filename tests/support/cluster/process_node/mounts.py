"""A container's own namespaces of mounts and processes, where the kernel allows them (`tether` makes them).

Where it does not (a machine without the right, user namespaces switched off), `translation` replaces paths in
arguments and environment instead.
"""

from __future__ import annotations

import functools
import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.support.cluster.tethered import start_tethered

_REPOSITORY = Path(__file__).resolve().parents[4]
_TRY_SECONDS = 60.0
_PROGRAMS = tuple({str(_REPOSITORY), sys.prefix, sys.base_prefix})


def mounting(mounts: Mapping[str, str], folder: Path) -> list[str]:
    """What stands before a command that is run with `mounts`; `folder` is the container's own.

    Programs of this machine stay where they are, also below a path that is covered, such as /tmp.
    """
    root = folder / "root"
    root.mkdir(exist_ok=True)
    covered = tuple(f"{path.rstrip('/')}/" for path in mounts)
    kept = [path for path in (*_PROGRAMS, str(folder)) if path.startswith(covered)]
    return ["--mounts", json.dumps({"mounts": dict(mounts), "kept": kept, "root": str(root)})]


@functools.cache
def are_allowed() -> bool:
    """Whether this process may make mount namespaces; tried once."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "there").write_text("")
        command = [*mounting({"/process-node/there": str(folder / "there")}, folder), "test", "-e"]
        tried = start_tethered([*command, "/process-node/there"], log=folder / "log", folder=folder).result()
        return tried.wait(_TRY_SECONDS) == 0

"""Played scenarios that are kept on disk, so that a comparison of hours goes on where it was ended.

What is kept is found again by all that it depends on: the scenario's value, the seed, the policy's setting
and the code of the simulator and of that policy. A change of our scaling alone has only ours played anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import pickle
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import grimp
import numpy as np

from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.scenario import Scenario

_SIMULATOR = "pointsman_autoscaler.simulator.run"
_DECIDING = ("pointsman_autoscaler.", "pointsman.placement.")
"""Whose code a result depends on. What made the scenario does not count, as its value does."""


def kept(folder: Path, key: str, play: Callable[[], Result]) -> Result:
    """The result that is kept under `key`, or what `play` gives, which is kept from then on."""
    path = folder / key[:2] / key
    try:
        found = pickle.loads(path.read_bytes())
    except (FileNotFoundError, EOFError, pickle.UnpicklingError):
        found = None
    if isinstance(found, Result):
        return found
    result = play()
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_bytes(pickle.dumps(result))
    whole.replace(path)
    return result


def key_of(module: str, setting: str, scenario: Scenario, seed: int, known: object = None) -> str:
    """`module` has the policy's code, `setting` says how it is set; `known` is what else it was told."""
    values = (_digest(scenario), _digest(known))
    parts = (code_digest(_SIMULATOR), code_digest(module), setting, str(seed), *values)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@cache
def code_digest(module: str) -> str:
    """Of the source of `modules_of`."""
    digest = hashlib.sha256()
    for name in sorted(modules_of(module)):
        spec = importlib.util.find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        digest.update(f"{name}\n".encode() + Path(spec.origin).read_bytes())
    return digest.hexdigest()


def modules_of(module: str) -> frozenset[str]:
    """A module (or package), and those that it imports, directly or not, of ours and of placement."""
    graph = _graph()
    names = {module, *graph.find_descendants(module)}
    names |= {found for name in names for found in graph.find_upstream_modules(name)}
    return frozenset(name for name in names if name.startswith(_DECIDING))


@cache
def _graph() -> grimp.ImportGraph:
    return grimp.build_graph("pointsman", "pointsman_autoscaler", cache_dir=None)


def _digest(value: object) -> str:
    digest = hashlib.sha256()
    _feed(digest.update, value)
    return digest.hexdigest()


def _feed(update: Callable[[bytes], Any], value: object) -> None:
    """Every field, to the last array. Raises TypeError for what has no value of its own."""
    update(f"<{type(value).__qualname__}>".encode())
    if isinstance(value, np.ndarray):
        update(f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _feed(update, getattr(value, field.name))
    elif isinstance(value, Mapping):
        for name, held in value.items():
            _feed(update, name)
            _feed(update, held)
    elif isinstance(value, (tuple, list)):
        for held in value:
            _feed(update, held)
    elif value is None or isinstance(value, (str, int, float, np.generic)):
        update(repr(value).encode())
    else:
        raise TypeError(f"{type(value).__qualname__} has no value that could be compared")

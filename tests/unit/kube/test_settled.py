"""What is remembered of calls that came to nothing is bounded: objects go while they are written."""

from __future__ import annotations

import tracemalloc
from typing import Any

from pointsman.kube.settled import Settled
from tests.support.kube_objects import config_map

_OBJECTS = 5_000
_BYTES = 500_000


def live(number: int) -> dict[str, Any]:
    found = config_map("one", "models")
    return {**found, "metadata": {**found["metadata"], "uid": f"uid-{number}", "resourceVersion": "1"}}


def test_calls_that_failed_are_forgotten() -> None:
    settled = Settled(most=10)
    wanted = config_map("one", "models", data={"a": "1"})
    assert settled.open_differences(live(-1), wanted, "us")
    tracemalloc.start()
    try:
        for number in range(_OBJECTS):
            assert settled.open_differences(live(number), wanted, "us")
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < _BYTES

"""What a scaler remembers of a week is not more than what it remembers of some days."""

from __future__ import annotations

import gc
import math
import sys
from types import FunctionType, ModuleType

import pytest

from pointsman.placement.demand import Bound
from pointsman_autoscaler.scaler import Scaler
from pointsman_autoscaler.settings import ScalingSettings
from tests.support.scaling_scenes import Scene, flavour

_DAY = 86_400.0
_SETTINGS = ScalingSettings((Bound("ttft", 0.95, 0.8), Bound("itl", 0.95, 0.06)), maximum=100)
_SHARED = (type, ModuleType, FunctionType)


def reached_bytes(root: object) -> int:
    """Of all that can be reached from it, each object once."""
    seen = {id(root)}
    found, left = 0, [root]
    while left:
        one = left.pop()
        found += sys.getsizeof(one)
        for other in gc.get_referents(one):
            if id(other) not in seen and not isinstance(other, _SHARED):
                seen.add(id(other))
                left.append(other)
    return found


@pytest.mark.long
@pytest.mark.timeout(900)
def test_memory_is_flat_over_seven_days() -> None:
    """While replicas come and go twice a day. Some 30 s of a core."""
    scaler = Scaler(_SETTINGS)

    def load(at: float) -> float:
        return 60.0 + 50.0 * math.sin(at / _DAY * 4 * math.pi)

    scene = Scene(scaler, {"h100": flavour()}, load, asked={"h100": 1})
    days = []
    for _ in range(7):
        scene.run(_DAY)
        days.append(reached_bytes(scaler))
    assert scene.started > 20, "replicas came and went"
    assert days[-1] < 1.05 * days[0], str(days)
    assert days[-1] < 2**18

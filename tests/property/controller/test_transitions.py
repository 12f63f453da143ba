"""Whatever was written before, what runs and what is said hangs on the last specs alone.

On a model of the API server, which tests/integration/operator/test_transitions.py compares with a real one.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from pointsman.placement import Inventory, InventoryEntry
from tests.support.decided_world import World, end_state
from tests.support.transitions import Transition, transitions

LENGTH = 40
INVENTORY = Inventory({"L4": InventoryEntry(total=24, free=24, memory_bytes=23034 * 2**20, per_node=8)})


def the_end_is_that_of_the_last_specs(played: list[Transition]) -> None:
    world = World(INVENTORY)
    for transition in played:
        world.play(transition)
    world.look()
    fresh = World(INVENTORY)
    for name, cluster in world.deployments.items():
        fresh.play(Transition("write", name, cluster.deployment["spec"]))
    fresh.look()
    assert end_state(world) == end_state(fresh)


@given(transitions(LENGTH))
@settings(max_examples=10)
def test_400_transitions(played: list[Transition]) -> None:
    the_end_is_that_of_the_last_specs(played)


@pytest.mark.long
@pytest.mark.timeout(900)
@given(transitions(LENGTH))
@settings(max_examples=250)
def test_10_000_transitions(played: list[Transition]) -> None:
    the_end_is_that_of_the_last_specs(played)

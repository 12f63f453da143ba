"""Where a model of our own runs: which accelerators, how many of them, how it is spread over them, and why.

Pure: `place` looks at a deployment, the fleet settings, the catalogue and an inventory of nodes, and answers
with numbers and the words that explain them. What is known of engines, accelerators and models stands in the
catalogue; how well engines use them stands in `data/coefficients.yaml`. Pods and their arguments are made in
the room above.
"""

from pointsman.placement.demand import Traffic
from pointsman.placement.explanation import explain
from pointsman.placement.inventory import FreeDevices, Inventory, InventoryEntry, inventory
from pointsman.placement.placing import place
from pointsman.placement.refusals import refusals
from pointsman.placement.result import Alternative, NotPlaced, Placement, Pool

__all__ = [
    "Alternative",
    "FreeDevices",
    "Inventory",
    "InventoryEntry",
    "NotPlaced",
    "Placement",
    "Pool",
    "Traffic",
    "explain",
    "inventory",
    "place",
    "refusals",
]

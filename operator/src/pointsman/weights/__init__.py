"""Brings weights into a pod's volume: `pointsman fetch-weights`, the init container of the model pods.

What is to come, and where to, was decided in `workloads`; here are the network and the disk. A folder appears
under its name only when it is whole, so that pods can share one volume.
"""

from pointsman.weights.fetching import fetch
from pointsman.weights.item import Item
from pointsman.weights.trouble import Reason, WeightsError

__all__ = ["Item", "Reason", "WeightsError", "fetch"]

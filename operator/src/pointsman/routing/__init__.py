"""Routes, targets and endpoints -> Envoy resources. Pure: the same input gives the same bytes.

What does not belong here: reading files or the API server, sockets, clocks, starting Envoy.
"""

from pointsman.routing.compiler import Compiler
from pointsman.routing.inputs import Endpoint, RoutingInput
from pointsman.routing.programming import RouteProgramming
from pointsman.routing.resources import Resource, ResourceSet
from pointsman.routing.settings import ProxySettings

__all__ = [
    "Compiler",
    "Endpoint",
    "ProxySettings",
    "Resource",
    "ResourceSet",
    "RouteProgramming",
    "RoutingInput",
]

"""The gateway process: objects and replicas in, our own Envoy programmed by delta discovery.

What does not belong here: deciding what Envoy should do (that is `routing`), and where the inputs come from.
"""

from pointsman.gateway.gateway import Gateway, GatewayPlaces
from pointsman.gateway.metrics_page import MetricsPage

__all__ = ["Gateway", "GatewayPlaces", "MetricsPage"]

"""Our way of scaling: what a view says becomes an observation, and the decision replicas. Pure."""

from pointsman_autoscaler.scaler.scaler import Scaler

__all__ = ["Scaler"]

"""How much load there will be when a replica that is asked for now is ready: mean and quantiles. Pure."""

from pointsman_autoscaler.forecast.distribution import Forecast
from pointsman_autoscaler.forecast.forecaster import Forecaster

__all__ = ["Forecast", "Forecaster"]

"""What is known of engines, accelerators and models before anything runs: YAML data, its schema, its loader.

Facts, each with its source, and what a deployment asks of its engine beyond them; what follows from them
(placement, arguments, a fleet's prices) is decided in the rooms above. Pure: the data ships inside the
package, nothing is fetched.
"""

from pointsman.catalog.accelerators import Accelerator
from pointsman.catalog.adapters import has_live_adapters
from pointsman.catalog.demands import known_version, refusal, unmet_demands
from pointsman.catalog.engines import EngineFacts, Image, Lifetime, OwnedArgument, plain_flag
from pointsman.catalog.launch import (
    Launch,
    LaunchArgument,
    LaunchCondition,
    LaunchValue,
    LaunchVariable,
    LiveAdapters,
)
from pointsman.catalog.loading import Catalog, read_catalog, shipped_catalog
from pointsman.catalog.metrics import EngineMetric, MetricName
from pointsman.catalog.models import KnownModel
from pointsman.catalog.ownership import owned_argument, owned_variable

__all__ = [
    "Accelerator",
    "Catalog",
    "EngineFacts",
    "EngineMetric",
    "Image",
    "KnownModel",
    "Launch",
    "LaunchArgument",
    "LaunchCondition",
    "LaunchValue",
    "LaunchVariable",
    "Lifetime",
    "LiveAdapters",
    "MetricName",
    "OwnedArgument",
    "has_live_adapters",
    "known_version",
    "owned_argument",
    "owned_variable",
    "plain_flag",
    "read_catalog",
    "refusal",
    "shipped_catalog",
    "unmet_demands",
]

"""The fleet settings: what the platform has. One file of plain keys, `fleet.yaml`, and no kind of its own."""

from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.markers import ListMap
from pointsman.api.meta import LabelSelector
from pointsman.api.names import Currency, HttpUrl, LabelKey, Labels, ModelNamePattern, ShortText, Word
from pointsman.api.podoverlay import Toleration
from pointsman.api.record import Record
from pointsman.api.scalars import Money, Quantity


class AcceleratorPrice(Record):
    on_demand: Money | None = None
    spot: Money | None = None


class AcceleratorFacts(Record):
    """What placement must know of an accelerator that the catalogue does not know."""

    memory: Quantity
    memory_bandwidth_gigabytes_per_second: Annotated[StrictInt, Field(ge=1, le=1_000_000)]
    dense_teraflops: Annotated[StrictInt, Field(ge=1, le=1_000_000)]
    """At bf16, without sparsity."""


class FleetAccelerator(Record):
    name: Word
    """A name of the catalogue, or one of your own with facts."""
    resource: LabelKey | None = None
    node_selector: Labels = Field(default_factory=dict)
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = ()
    price_per_hour: AcceleratorPrice | None = None
    quota: Annotated[StrictInt, Field(ge=0, le=1_000_000)] | None = None
    facts: AcceleratorFacts | None = None


class NameClaim(Record):
    """Namespaces that may claim these public model names."""

    namespace_selector: LabelSelector
    models: Annotated[tuple[ModelNamePattern, ...], Field(min_length=1, max_length=256)]


class GatewaySettings(Record):
    names: Annotated[tuple[NameClaim, ...], Field(max_length=256)] = ()
    """Who may claim which names, and nobody else; default: any namespace, any name."""
    allowed_private_hosts: Annotated[tuple[ShortText, ...], Field(max_length=256)] = ()
    """Private hosts, *.suffixes, addresses and networks that a hosted baseURL may name."""


class PrometheusSettings(Record):
    url: HttpUrl
    bearer_token_file: Annotated[str, Field(max_length=4096)] | None = None


class MetricsSettings(Record):
    prometheus: PrometheusSettings | None = None


class FleetSettings(Record):
    """What the platform has: its currency, its accelerators, who may claim which names."""

    currency: Currency = "USD"
    accelerators: Annotated[tuple[FleetAccelerator, ...], Field(max_length=256), ListMap("name")] = ()
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)

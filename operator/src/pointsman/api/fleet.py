"""The fleet settings: what the platform has. One file of plain keys, `fleet.yaml`, and no kind of its own."""

from collections.abc import Callable, Iterable
from enum import StrEnum
from ipaddress import ip_network
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, StrictInt

from pointsman.api.guardrailpolicy import GuardrailPolicySpec
from pointsman.api.markers import ListMap
from pointsman.api.meta import LabelSelector
from pointsman.api.names import (
    BucketUrl,
    Cidr,
    Currency,
    FilePath,
    HttpUrl,
    LabelKey,
    Labels,
    ModelNamePattern,
    NoProxyEntry,
    ObjectName,
    ShortText,
    Word,
)
from pointsman.api.podoverlay import Toleration
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import Money, PositiveDuration, Quantity


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


_MOST_HELD = Quantity("256Mi")
_HeldRequests = Annotated[StrictInt, Field(ge=1, le=100_000)]


def _held(key: str, bodies_of: Callable[["Holding"], Quantity]) -> Rule:
    return Rule(
        cel=f"!has(self.{key}) || quantity(self.{key}).compareTo(quantity('{_MOST_HELD}')) <= 0",
        holds=lambda holding: bodies_of(holding).decimal <= _MOST_HELD.decimal,
        what=f"is above {_MOST_HELD}, a quarter of the memory of a gateway",
        todo=f"write at most {_MOST_HELD}, and run more gateways",
        field=key,
    )


class Holding(Record):
    """How requests wait in each gateway for a deployment at zero. What is above the bounds is refused, or
    goes to the route's fallback.
    """

    constraints: ClassVar[tuple[Rule, ...]] = (
        _held("bodies", lambda holding: holding.bodies),
        _held("bodiesInAll", lambda holding: holding.bodies_in_all),
    )

    for_: PositiveDuration = PositiveDuration("5m")
    """The longest wait: longer than nine of ten starts take."""
    requests: _HeldRequests = 256
    """Of one deployment."""
    requests_in_all: _HeldRequests = 1024
    bodies: Quantity = Quantity("64Mi")
    """The bodies of requests for one deployment, together."""
    bodies_in_all: Quantity = _MOST_HELD


class GatewaySettings(Record):
    names: Annotated[tuple[NameClaim, ...], Field(max_length=256)] = ()
    """Who may claim which names, and nobody else; default: any namespace, any name."""
    allowed_private_hosts: Annotated[tuple[ShortText, ...], Field(max_length=256)] = ()
    """Private hosts, *.suffixes, addresses and networks that a hosted baseURL may name."""
    hold: Holding = Field(default_factory=Holding)


class PrometheusSettings(Record):
    url: HttpUrl
    bearer_token_file: Annotated[str, Field(max_length=4096)] | None = None


class MetricsSettings(Record):
    prometheus: PrometheusSettings | None = None


def _are_networks(cidrs: Iterable[str]) -> bool:
    for cidr in cidrs:
        try:
            ip_network(cidr)
        except ValueError:
            return False
    return True


_NETWORKS = Rule(
    "!has(self.cidrs) || self.cidrs.all(c, isCIDR(c) && cidr(c).masked() == cidr(c))",
    lambda record: _are_networks(record.cidrs),
    "names something that is no network",
    "write address and prefix, without bits behind it, such as 10.0.0.0/8 or 10.1.2.3/32",
    field="cidrs",
)


def _port_of(url: str) -> int | None:
    """The port of a URL, by its scheme where it names none; None where it names one that cannot be."""
    parts = urlsplit(url)
    try:
        return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None


class EgressProxy(Record):
    """The way out of the cluster for what speaks HTTPS. `cidrs` is where it is: a NetworkPolicy cannot name
    hosts.
    """

    constraints: ClassVar[tuple[Rule, ...]] = (
        _NETWORKS,
        Rule(
            "url(self.url).getPort() == '' || int(url(self.url).getPort()) < 65536",
            lambda proxy: _port_of(proxy.url) is not None,
            "names a port that cannot be",
            "write one from 1 to 65535",
            field="url",
        ),
    )

    url: HttpUrl
    """Without user and password: pods would show them."""
    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1, max_length=64)]
    no_proxy: Annotated[tuple[NoProxyEntry, ...], Field(max_length=256)] = ()
    """What is reached without it, beside this machine and the cluster's own names."""

    @property
    def port(self) -> int:
        return _port_of(self.url) or 0


class EgressSettings(Record):
    """Where pods of models may go. Without it: DNS, and TCP 443 anywhere."""

    constraints: ClassVar[tuple[Rule, ...]] = (
        _NETWORKS,
        Rule(
            "has(self.proxy) || (has(self.cidrs) && size(self.cidrs) > 0)",
            lambda egress: egress.proxy is not None or bool(egress.cidrs),
            "names neither networks nor a proxy",
            "write cidrs or proxy, or remove it",
        ),
    )

    cidrs: Annotated[tuple[Cidr, ...], Field(max_length=256)] = ()
    """Networks that weights come from, on any port."""
    proxy: EgressProxy | None = None


class WeightsSettings(Record):
    """How weights are kept."""

    cache_claim: ObjectName
    """A PersistentVolumeClaim that pods share their downloads in; each namespace with models has one of this
    name. Its volume is mounted on several nodes at once (ReadWriteMany)."""


class ReportsApi(StrEnum):
    """Who defines the kind of the reports that other tools read, by the group of its API."""

    OPEN_REPORTS = "openreports.io"
    POLICY_WORKING_GROUP = "wgpolicyk8s.io"


class GuardrailSettings(Record):
    """What is said of guardrail policies, beside their own statuses."""

    exception_reminder: PositiveDuration = PositiveDuration("168h")
    """How long before its end an exception is said to end soon."""
    reports: ReportsApi | None = None
    """A report in each namespace where something breaks a rule, where the kind is installed."""


class EvidenceStore(Record):
    """A prefix of a bucket. Its objects are made and never changed: a bucket may lock them."""

    url: BucketUrl
    credentials_file: FilePath | None = None
    """A JSON object of the store's settings. What it leaves out is asked of the environment and the cloud."""


class EvidenceSettings(Record):
    """Where the operator keeps its record of what policies say."""

    constraints: ClassVar[tuple[Rule, ...]] = (
        Rule(
            "has(self.file) != has(self.objectStore)",
            lambda evidence: (evidence.file is None) != (evidence.object_store is None),
            "does not name one place",
            "write file or objectStore",
        ),
    )

    file: FilePath | None = None
    """On a volume that every replica of the operator mounts."""
    object_store: EvidenceStore | None = None


class FleetSettings(Record):
    """What the platform has: its currency, its accelerators, who may claim which names, its way out."""

    currency: Currency = "USD"
    accelerators: Annotated[tuple[FleetAccelerator, ...], Field(max_length=256), ListMap("name")] = ()
    gateway: GatewaySettings = Field(default_factory=GatewaySettings)
    metrics: MetricsSettings = Field(default_factory=MetricsSettings)
    egress: EgressSettings | None = None
    weights: WeightsSettings | None = None
    policies: Annotated[dict[Word, GuardrailPolicySpec], Field(max_length=32)] = Field(default_factory=dict)
    """GuardrailPolicies, by name, that the operator keeps in its cluster as they stand here."""
    guardrails: GuardrailSettings | None = None
    evidence: EvidenceSettings | None = None
    """Without it the operator keeps no record of evidence."""

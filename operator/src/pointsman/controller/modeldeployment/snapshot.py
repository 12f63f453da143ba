"""What is decided on: one ModelDeployment, what belongs to it, and what the platform has. Frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pointsman.api import FleetSettings, ModelDeployment
from pointsman.catalog import Catalog
from pointsman.catalog.adapter_report import AdapterReport
from pointsman.catalog.metric_report import MetricReport
from pointsman.controller.modeldeployment.pinning import Pin
from pointsman.kube.objects import KubeObject
from pointsman.placement import Inventory
from pointsman.workloads.surroundings import Images, Surroundings


@dataclass(frozen=True, slots=True, order=True)
class Contest:
    """A field of a child that somebody else set again after it was put back."""

    child: str
    """Kind and name, as people say it: `Deployment chat`."""
    manager: str
    field: str


@dataclass(frozen=True, slots=True, order=True)
class Obstacle:
    """Why `child` could not be written, and nothing after it was; `message` may have the words of others."""

    reason: str
    message: str
    child: str


@dataclass(frozen=True, slots=True)
class Reports:
    """What engines are seen to say, by the revision label of their pods; `awaited`: those of which nothing
    was heard yet, and may be.
    """

    known: Mapping[str, MetricReport] = field(default_factory=dict)
    awaited: frozenset[str] = frozenset()
    adapters: Mapping[str, AdapterReport] = field(default_factory=dict)
    """Which adapters ready replicas have loaded, by the names of their pods; some may not have told yet."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What all deployments share."""

    fleet: FleetSettings
    catalog: Catalog
    inventory: Inventory
    images: Images
    surroundings: Surroundings

    def with_spare(self, pools: frozenset[str]) -> "Platform":
        """The platform as one rollout sees it: these pools have room for one more replica."""
        return replace(self, surroundings=replace(self.surroundings, spare=pools))


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One moment. `workloads` are Deployments and LeaderWorkerSets, `others` every other child but pods and
    revisions; `now` is RFC 3339 and used for nothing but transition times.
    """

    deployment: ModelDeployment
    platform: Platform
    now: str
    revisions: tuple[KubeObject, ...] = ()
    workloads: tuple[KubeObject, ...] = ()
    others: tuple[KubeObject, ...] = ()
    pods: tuple[KubeObject, ...] = ()
    contests: tuple[Contest, ...] = ()
    obstacle: Obstacle | None = None
    reports: Reports = field(default_factory=Reports)
    pin: Pin | None = None
    """What the hub says of the weights' name, where that was to be asked."""
    replicas_written: bool = True
    """Whether spec.replicas is somebody's word, and not the API's default."""

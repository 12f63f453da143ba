"""What a spec was rendered to, as data: kept in a ControllerRevision, it moves with nothing but the spec.

It holds whole pod templates, not the facts that led to them: neither another catalogue nor another version of
this code can change a running pod.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from pointsman.api.record import camel_case
from pointsman.errors import PointsmanError
from pointsman.json_text import dumped
from pointsman.placement.result import Placement

_FORMAT = 1
_HASH_DIGITS = 10


@dataclass(frozen=True)
class PoolRendering:
    """The pods of one pool. `template` is that of the replicas, or of each group's leader."""

    name: str
    template: Mapping[str, Any]
    worker_template: Mapping[str, Any] | None = None
    nodes: int = 1
    progress_deadline_seconds: int = 600
    """After so long without progress a rollout counts as stuck."""
    on_accelerator: bool = False
    """Whether one more pod needs a device, which a rollout must not take for granted."""

    @cached_property
    def revision(self) -> str:
        """A hash of the pods alone: a rendering with other reasons, prices or pools moves none of them."""
        return _digest([self.template, self.worker_template])


@dataclass(frozen=True)
class Rendering:
    """Everything that an upgrade of Pointsman must not move."""

    engine: str
    version: str
    """Of the engine, as its arguments were chosen for; "" for an image of the user's."""
    image: str
    agent_image: str
    catalogue: str
    """The revision of the catalogue that this was made with."""
    weights_revision: str
    spec_hash: str
    """Of the part of the spec that matters to pods."""
    refresh: str
    placement: Placement
    pools: tuple[PoolRendering, ...]
    files: Mapping[str, str] = field(default_factory=dict)
    """What the ConfigMap holds: a chat template, an engine's configuration."""
    workload_labels: Mapping[str, str] = field(default_factory=dict)
    """Labels for the Deployments themselves, such as Kueue's queue."""
    weights_name: str = ""
    """The name that can move by which a commit was found; "" where none was looked up."""
    adapters: str = ""
    """What agents are told to load into running engines; "" where adapters are a part of the pods."""
    weights_later: str = ""
    """The commit, where it was found only after pods were made, which fetch the name itself."""

    @cached_property
    def name(self) -> str:
        """A hash of the whole content. Pods do not carry it: see `revisions`."""
        return _digest(self.to_json())

    @property
    def revisions(self) -> frozenset[str]:
        """What pods and workloads of this rendering are labelled `pointsman.dev/revision`; one a pool."""
        return frozenset(pool.revision for pool in self.pools)

    def to_json(self) -> dict[str, Any]:
        """JSON values only; `from_json` gives the same Rendering back."""
        stated = _stated(self)
        for key in ("weightsName", "weightsLater", "adapters"):
            if not stated[key]:
                # What was frozen before there was such a thing is named by its content, and keeps its name.
                del stated[key]
        return {
            "format": _FORMAT,
            **stated,
            "files": dict(self.files),
            "workloadLabels": dict(self.workload_labels),
            "placement": self.placement.to_json(),
            "pools": [_stated(pool) for pool in self.pools],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Rendering":
        """PointsmanError where the document is of a later Pointsman, or damaged."""
        stated = dict(document)
        if stated.pop("format", None) != _FORMAT:
            raise PointsmanError(
                "the frozen rendering was written by another version of Pointsman",
                todo="set spec.refresh to a value it did not have before",
            )
        try:
            placement = Placement.from_json(stated.pop("placement"))
            pools = tuple(PoolRendering(**_attributes(PoolRendering, pool)) for pool in stated.pop("pools"))
            return cls(placement=placement, pools=pools, **_attributes(cls, stated))
        except (TypeError, KeyError, ValueError) as error:
            raise PointsmanError(
                f"the frozen rendering is damaged: {error}",
                todo="set spec.refresh to a value it did not have before",
            ) from error


def _stated(record: Rendering | PoolRendering) -> dict[str, Any]:
    """Attributes by their JSON keys."""
    return {camel_case(one.name): getattr(record, one.name) for one in fields(record)}


def _attributes(kind: type[Rendering | PoolRendering], stated: Mapping[str, Any]) -> dict[str, Any]:
    """JSON keys back to attributes. KeyError for one that there is not."""
    names = {camel_case(one.name): one.name for one in fields(kind)}
    return {names[key]: value for key, value in stated.items()}


def _digest(value: Any) -> str:
    return hashlib.sha256(dumped(_stored(value), is_sorted=True)).hexdigest()[:_HASH_DIGITS]


def _stored(value: Any) -> Any:
    """As an API server gives it back: without nulls, which an apply leaves out, and 1.0 is 1."""
    kind = type(value)  # not isinstance: every value of every template comes by here
    if kind is str or kind is int or kind is bool:
        return value
    if kind is dict or isinstance(value, Mapping):
        return {key: _stored(member) for key, member in value.items() if member is not None}
    if kind is list or kind is tuple:
        return [_stored(member) for member in value]
    return int(value) if kind is float and value.is_integer() else value

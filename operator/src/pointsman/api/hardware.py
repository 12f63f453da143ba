"""On which accelerators replicas may run."""

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.markers import ListMap, ListSet
from pointsman.api.names import Word
from pointsman.api.record import Record, Rule

_Devices = Annotated[StrictInt, Field(ge=1, le=1024)]
_Replicas = Annotated[StrictInt, Field(ge=0, le=10_000)]


class Objective(StrEnum):
    COST = "cost"
    LATENCY = "latency"


class Capacity(StrEnum):
    ON_DEMAND = "onDemand"
    SPOT = "spot"


class Parallelism(Record):
    """How one replica is spread over devices; default: chosen."""

    tensor: _Devices | None = None
    pipeline: _Devices | None = None


class Pool(Record):
    """One flavour of capacity, spelled out; replicas fill the first pool first."""

    name: Word
    accelerator: Word
    accelerators_per_replica: _Devices = 1
    capacity: Capacity = Capacity.ON_DEMAND
    min_replicas: _Replicas = 0
    max_replicas: _Replicas

    constraints = (
        Rule(
            cel="!has(self.minReplicas) || self.minReplicas <= self.maxReplicas",
            holds=lambda pool: pool.min_replicas <= pool.max_replicas,
            what="minReplicas is above maxReplicas",
            todo="lower one or raise the other",
            field="minReplicas",
        ),
    )


class Hardware(Record):
    """What may be used, and what the choice should be good at."""

    objective: Objective = Objective.COST
    accelerators: Annotated[tuple[Word, ...], Field(max_length=64), ListSet()] = ()
    """The accelerators to choose from; default: the whole fleet."""
    parallelism: Parallelism | None = None
    nodes: Annotated[StrictInt, Field(ge=1, le=64)] = 1
    """How many nodes one replica spans."""
    pools: Annotated[tuple[Pool, ...], Field(max_length=16), ListMap("name")] = ()
    """Instead of a choice: the flavours, spelled out, first preferred."""

    constraints = (
        Rule(
            cel="!(has(self.pools) && size(self.pools) > 0"
            " && has(self.accelerators) && size(self.accelerators) > 0)",
            holds=lambda hardware: not (hardware.pools and hardware.accelerators),
            what="pools name their accelerators themselves",
            todo="remove accelerators, or pools",
            field="accelerators",
        ),
    )

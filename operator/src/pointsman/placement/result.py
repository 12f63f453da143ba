"""What placement answers: a placement with its reasons, or why there is none and what would help.

Both are plain data that survives JSON, as they are frozen in a ControllerRevision and shown in a status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Self

from pointsman.api.hardware import Capacity

DEFAULT_POOL: Final = "default"
"""The pool of a deployment that states none."""


@dataclass(frozen=True)
class Pool:
    """One flavour of capacity; replicas fill the first pool first."""

    name: str
    accelerator: str
    """"" for the CPU."""
    resource: str
    """The extended resource that a pod asks for; "" for the CPU."""
    accelerators_per_replica: int
    tensor: int
    capacity: Capacity
    min_replicas: int
    max_replicas: int | None
    """None: as many as the deployment says."""
    max_concurrency: int
    price_per_hour: Decimal | None
    """Of one replica, in the fleet's currency; None where no price is known."""
    requests_per_second: float
    """What one replica serves within the objectives, by estimate; 0 where nothing is known."""

    @property
    def pipeline(self) -> int:
        """Groups in a row: pools of one deployment may differ in it."""
        return max(1, self.accelerators_per_replica // self.tensor)

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "accelerator": self.accelerator,
            "resource": self.resource,
            "acceleratorsPerReplica": self.accelerators_per_replica,
            "tensor": self.tensor,
            "capacity": self.capacity.value,
            "minReplicas": self.min_replicas,
            "maxReplicas": self.max_replicas,
            "maxConcurrency": self.max_concurrency,
            "pricePerHour": _text(self.price_per_hour),
            "requestsPerSecond": self.requests_per_second,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            name=data["name"],
            accelerator=data["accelerator"],
            resource=data["resource"],
            accelerators_per_replica=data["acceleratorsPerReplica"],
            tensor=data["tensor"],
            capacity=Capacity(data["capacity"]),
            min_replicas=data["minReplicas"],
            max_replicas=data.get("maxReplicas"),
            max_concurrency=data["maxConcurrency"],
            price_per_hour=_money(data.get("pricePerHour")),
            requests_per_second=data["requestsPerSecond"],
        )


@dataclass(frozen=True)
class Alternative:
    """A placement that was not chosen, and why: what it would cost, or what it misses."""

    accelerator: str
    accelerators_per_replica: int
    reason: str

    def __str__(self) -> str:
        return f"{self.accelerators_per_replica} × {self.accelerator} {self.reason}"

    def to_json(self) -> dict[str, Any]:
        return {
            "accelerator": self.accelerator,
            "acceleratorsPerReplica": self.accelerators_per_replica,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["accelerator"], data["acceleratorsPerReplica"], data["reason"])


@dataclass(frozen=True)
class Placement:
    """Where replicas run. The first pool's numbers stand at the top."""

    accelerator: str
    """"" for the CPU."""
    accelerators_per_replica: int
    tensor: int
    pipeline: int
    nodes: int
    pools: tuple[Pool, ...]
    quantization: str
    """What is served: `none`, `fp8`, …; "" where it is not known."""
    half_precision: bool
    """The engine must be told to compute in fp16: the device has no bf16."""
    context_length: int
    """Tokens of one request; 0 where it is not known."""
    max_concurrency: int
    """Requests that one replica may work on at once; 0 where the engine decides."""
    weights_bytes: int
    """Of one replica, on all its devices together."""
    kv_bytes_per_token: int
    """Of one replica, on all its devices together."""
    memory_bytes: int
    """Memory of one replica beside its accelerators: all of it on the CPU, 0 where only devices count."""
    price_per_hour: Decimal | None
    requests_per_second: float
    fit: str
    """How it fits, in one line."""
    reason: str
    """Why it was chosen, in one line."""
    assumptions: str
    """What the numbers rest on, in one line."""
    alternatives: tuple[Alternative, ...] = ()

    @property
    def summary(self) -> str:
        """Accelerators of one replica in a few characters: `2×H100-SXM`, `cpu`."""
        return f"{self.accelerators_per_replica}×{self.accelerator}" if self.accelerator else "cpu"

    def to_json(self) -> dict[str, Any]:
        return {
            "accelerator": self.accelerator,
            "acceleratorsPerReplica": self.accelerators_per_replica,
            "tensor": self.tensor,
            "pipeline": self.pipeline,
            "nodes": self.nodes,
            "pools": [pool.to_json() for pool in self.pools],
            "quantization": self.quantization,
            "halfPrecision": self.half_precision,
            "contextLength": self.context_length,
            "maxConcurrency": self.max_concurrency,
            "weightsBytes": self.weights_bytes,
            "kvBytesPerToken": self.kv_bytes_per_token,
            "memoryBytes": self.memory_bytes,
            "pricePerHour": _text(self.price_per_hour),
            "requestsPerSecond": self.requests_per_second,
            "fit": self.fit,
            "reason": self.reason,
            "assumptions": self.assumptions,
            "alternatives": [alternative.to_json() for alternative in self.alternatives],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            accelerator=data["accelerator"],
            accelerators_per_replica=data["acceleratorsPerReplica"],
            tensor=data["tensor"],
            pipeline=data["pipeline"],
            nodes=data["nodes"],
            pools=tuple(Pool.from_json(pool) for pool in data["pools"]),
            quantization=data["quantization"],
            half_precision=data["halfPrecision"],
            context_length=data["contextLength"],
            max_concurrency=data["maxConcurrency"],
            weights_bytes=data["weightsBytes"],
            kv_bytes_per_token=data["kvBytesPerToken"],
            memory_bytes=data["memoryBytes"],
            price_per_hour=_money(data.get("pricePerHour")),
            requests_per_second=data["requestsPerSecond"],
            fit=data["fit"],
            reason=data["reason"],
            assumptions=data["assumptions"],
            alternatives=tuple(Alternative.from_json(item) for item in data["alternatives"]),
        )


@dataclass(frozen=True)
class NotPlaced:
    """Why the model cannot run here."""

    message: str
    closest: str = ""
    """What came nearest, and by how much it missed; "" where nothing was tried."""
    todo: str = ""
    """What would make it fit."""
    field: str = "spec.hardware"
    """Where in the deployment the fix belongs, as a finding's path."""

    def __str__(self) -> str:
        parts = (self.message, f"closest: {self.closest}" if self.closest else "", self.todo)
        return "; ".join(part for part in parts if part)

    def to_json(self) -> dict[str, Any]:
        return {
            "message": self.message,
            "closest": self.closest,
            "todo": self.todo,
            "field": self.field,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        return cls(data["message"], data["closest"], data["todo"], data["field"])


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else format(amount, "f")


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

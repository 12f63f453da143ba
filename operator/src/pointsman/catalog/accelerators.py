"""The facts of one accelerator: memory, speed, how nodes name it, and what it costs by the list."""

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from pointsman.api import Money
from pointsman.api.names import LabelKey, LabelValue, Word
from pointsman.api.record import Record

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Rate = Annotated[float, Field(gt=0, le=1_000_000)]
_Devices = Annotated[StrictInt, Field(ge=1, le=1024)]
_Profile = Annotated[str, StringConstraints(pattern=r"^[1-9]g\.[0-9]{1,3}gb$")]


class ListPrice(Record):
    """A cloud's published on-demand price of one device, with its date; a fleet's own prices come first."""

    per_hour: Money
    larger: dict[Annotated[int, Field(ge=2, le=64)], Money] = Field(default_factory=dict)
    """What one device costs in an instance with so many, where that is another price."""
    currency: Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
    basis: _Text
    """The instance and region, and how many devices share its price."""
    as_of: date
    source: _Text
    verified: StrictBool


class Accelerator(Record):
    """One kind of device. Speeds are dense peaks of the data sheet, not what a model achieves."""

    name: Word
    vendor: Literal["nvidia", "amd", "intel", "google", "aws"]
    resource: LabelKey
    """The extended resource that a pod asks for."""
    products: tuple[Annotated[str, StringConstraints(min_length=1, max_length=63)], ...] = ()
    """Values of the node label that names the product; a label may go on with a dash (`-SHARED`)."""
    labels: dict[LabelKey, tuple[LabelValue, ...]] = Field(default_factory=dict)
    """Labels by which clouds name the product on their nodes, with their values; one match is enough."""
    memory_mebibytes: Annotated[StrictInt, Field(ge=1024, le=10_000_000)]
    """What the driver shows, which is less than the marketing figure."""
    memory_gigabytes_per_second: _Rate
    bf16_teraflops: _Rate | None
    """None: the device has no bf16."""
    fp16_teraflops: _Rate | None = None
    """Where it differs from bf16."""
    fp8_teraflops: _Rate | None = None
    fp4_teraflops: _Rate | None = None
    int8_teraops: _Rate | None = None
    compute_capability: (
        Annotated[str, StringConstraints(pattern=r"^([0-9]+\.[0-9]|gfx[0-9a-f]+)$")] | None
    ) = None
    link_gigabytes_per_second: _Rate
    """To its neighbours, one way; a tensor-parallel group never spans a slower link."""
    link: Literal["nvlink", "xgmi", "pcie"] = "pcie"
    linked: _Devices = 8
    """How many devices reach each other at that speed: the largest tensor-parallel group."""
    per_node: _Devices = 8
    """Devices of the usual node; where a node exists, its own count holds."""
    slices: tuple[_Profile, ...] = ()
    """MIG profiles; a slice is named NAME-MIG-PROFILE and has no link to another."""
    source: _Text
    verified: StrictBool
    price: ListPrice | None = None

    @model_validator(mode="after")
    def _computes_in_some_precision(self) -> Self:
        if self.bf16_teraflops is None and self.fp16_teraflops is None:
            raise ValueError("has neither bf16Teraflops nor fp16Teraflops")
        return self

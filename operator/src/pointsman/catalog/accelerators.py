"""The facts of one accelerator: memory, speed, how nodes name it, and what it costs by the list."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from pointsman.api import Money
from pointsman.api.names import LabelKey, Word
from pointsman.api.record import Record

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Rate = Annotated[float, Field(gt=0, le=1_000_000)]


class ListPrice(Record):
    """A cloud's published on-demand price of one device, with its date; a fleet's own prices come first."""

    per_hour: Money
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
    memory_mebibytes: Annotated[StrictInt, Field(ge=1024, le=10_000_000)]
    """What the driver shows, which is less than the marketing figure."""
    memory_gigabytes_per_second: _Rate
    bf16_teraflops: _Rate | None
    """None: the device has no bf16."""
    fp8_teraflops: _Rate | None = None
    fp4_teraflops: _Rate | None = None
    int8_teraops: _Rate | None = None
    compute_capability: (
        Annotated[str, StringConstraints(pattern=r"^([0-9]+\.[0-9]|gfx[0-9a-f]+)$")] | None
    ) = None
    link_gigabytes_per_second: _Rate
    """To its neighbours, one way; a tensor-parallel group never spans a slower link."""
    source: _Text
    verified: StrictBool
    price: ListPrice | None = None

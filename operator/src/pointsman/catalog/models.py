"""The facts of one known model: its shape, its size by quantisation, its terms."""

from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from pointsman.api import ParameterCount, Quantity, Quantization, Task
from pointsman.api.record import Record

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Count = Annotated[StrictInt, Field(ge=1, le=100_000_000)]
_Source = Annotated[str, StringConstraints(max_length=512, pattern=r"^(hf|package)://[^\s]+$")]


class Attention(Record):
    """How much cache a token takes, and in how many layers."""

    kind: Literal["grouped", "latent", "none"]
    """grouped: keys and values by head; latent: one compressed vector (MLA), the same on every device."""
    heads: _Count | None = None
    kv_heads: _Count | None = None
    head_dim: _Count | None = None
    latent_dim: _Count | None = None
    full_layers: _Count | None = None
    """Layers that remember the whole context; None: all of them."""
    window: _Count | None = None
    """Tokens that the other layers remember; None: they hold a fixed state, or there are no others."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "grouped" and None in (self.heads, self.kv_heads, self.head_dim):
            raise ValueError("grouped attention needs heads, kvHeads and headDim")
        if self.kind == "latent" and None in (self.heads, self.latent_dim):
            raise ValueError("latent attention needs heads and latentDim")
        return self


class KnownModel(Record):
    """One model as its publisher made it; other quantisations of it are rows of `weights`."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    sources: Annotated[tuple[_Source, ...], Field(min_length=1)]
    """Where it is published; the first is the publisher's own."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    parameters: ParameterCount
    active_parameters: ParameterCount | None = None
    """For mixtures of experts: how many work on one token."""
    layers: _Count
    hidden_size: _Count
    context_length: _Count
    attention: Attention
    weights: dict[Quantization, Quantity]
    """Bytes of the served files, where measured or published."""
    license: _Text
    terms: _Text | None = None
    """Where the licence's text is, for models whose terms bind their users."""
    gated: StrictBool
    """Whether the publisher asks for an account before the download."""
    source: _Text
    verified: StrictBool

    def is_at(self, source: str) -> bool:
        """Whether a deployment's `model.source` is this model: one of its places, or a file below it."""
        return any(source == place or source.startswith(f"{place}/") for place in self.sources)

    @model_validator(mode="after")
    def _has_no_more_full_layers_than_layers(self) -> Self:
        if self.attention.full_layers is not None and self.attention.full_layers > self.layers:
            raise ValueError("attention.fullLayers is above layers")
        return self

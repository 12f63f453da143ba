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
    state: Quantity | None = None
    """Bytes of fixed state for one running request, in layers of linear attention."""

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Self:
        if self.kind == "grouped" and None in (self.heads, self.kv_heads, self.head_dim):
            raise ValueError("grouped attention needs heads, kvHeads and headDim")
        if self.kind == "latent" and None in (self.heads, self.latent_dim):
            raise ValueError("latent attention needs heads and latentDim")
        return self


class Experts(Record):
    """The mixture: how many experts a layer has, and how many work on one token."""

    count: _Count
    per_token: _Count
    intermediate_size: _Count
    parameters: ParameterCount
    """Of all experts together; the rest works on every token."""

    @model_validator(mode="after")
    def _uses_at_most_all(self) -> Self:
        if self.per_token > self.count:
            raise ValueError("perToken is above count")
        return self


class KnownModel(Record):
    """One model as its publisher made it; other quantisations of it are rows of `weights`."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    sources: Annotated[tuple[_Source, ...], Field(min_length=1)]
    """Where it is published; the first is the publisher's own."""
    quantized_sources: dict[_Source, Quantization] = Field(default_factory=dict)
    """Where others' quantisations of it are published."""
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    parameters: ParameterCount
    active_parameters: ParameterCount | None = None
    """For mixtures of experts: how many work on one token."""
    layers: _Count
    hidden_size: _Count
    intermediate_size: _Count | None = None
    """Of the dense layers' feed-forward part."""
    vocabulary: _Count | None = None
    tied_embeddings: StrictBool = False
    """Whether the table of the input is also that of the output."""
    experts: Experts | None = None
    context_length: _Count
    attention: Attention
    overflows_in_fp16: StrictBool = False
    """Whether it needs the range of bf16."""
    weights: Annotated[dict[Quantization, Quantity], Field(min_length=1)]
    """Bytes of the served files, where measured or published; the publisher's own come first."""
    license: _Text
    terms: _Text | None = None
    """Where the licence's text is, for models whose terms bind their users."""
    gated: StrictBool
    """Whether the publisher asks for an account before the download."""
    source: _Text
    verified: StrictBool

    def is_at(self, source: str) -> bool:
        """Whether a deployment's `model.source` is this model: one of its places, or a file below it."""
        return self.quantization_at(source) is not None

    def quantization_at(self, source: str) -> Quantization | None:
        """What the weights at this source are, or None where it is not this model."""
        for place in self.sources:
            if _is_below(source, place):
                return next(iter(self.weights))
        for place, quantization in self.quantized_sources.items():
            if _is_below(source, place):
                return quantization
        return None

    @property
    def embedding_parameters(self) -> int | None:
        """Parameters of the tables at the input and output, or None where the vocabulary is not known."""
        if self.vocabulary is None:
            return None
        return self.vocabulary * self.hidden_size * (1 if self.tied_embeddings else 2)

    @model_validator(mode="after")
    def _has_no_more_full_layers_than_layers(self) -> Self:
        if self.attention.full_layers is not None and self.attention.full_layers > self.layers:
            raise ValueError("attention.fullLayers is above layers")
        return self


def _is_below(source: str, place: str) -> bool:
    return source.startswith(place) and (len(source) == len(place) or source[len(place)] == "/")

"""What placement must know of a model, from the catalogue or from the deployment's own facts."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from pointsman.api import Model, ModelFacts, Quantization
from pointsman.catalog import KnownModel
from pointsman.placement.gguf_bits import USUAL_BITS, bits_named
from pointsman.placement.identity import Identity

# Bits of a stored weight by quantisation, scales included: 128 weights share one in AWQ and GPTQ.
_BITS: dict[Quantization, float] = {
    Quantization.NONE: 16,
    Quantization.FP8: 8,
    Quantization.INT8: 8,
    Quantization.AWQ: 4.16,
    Quantization.GPTQ: 4.16,
    Quantization.NVFP4: 4.5,
    Quantization.MXFP4: 4.25,
    Quantization.GGUF: USUAL_BITS,
}
_UNQUANTIZED_BITS = 16

# Where nothing says how large the vocabulary is: that of recent models, at most a fifth of the whole.
_USUAL_VOCABULARY = 152_000
_LARGEST_EMBEDDING_SHARE = 0.2
# A dense layer has about 12 times its width squared parameters.
_PARAMETERS_PER_WIDTH_SQUARED = 12


@dataclass(frozen=True, slots=True)
class Mixture:
    count: int
    per_token: int
    intermediate_size: int
    parameters: int


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Numbers of one model, hashable. None: not known, and then no rule is checked with it."""

    name: str
    parameters: int
    layers: int
    hidden_size: int
    attention: Literal["grouped", "latent", "none"]
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    latent_dim: int | None
    full_layers: int
    """Layers that remember the whole context."""
    window: int
    """Tokens that the other layers remember; 0: none."""
    state_bytes: int
    """Fixed memory of one running request."""
    embedding_parameters: int
    tied_embeddings: bool
    intermediate_size: int | None
    mixture: Mixture | None
    overflows_in_fp16: bool
    quantization: Quantization
    """What is served."""
    weights_bytes: int
    """Of the served weights, on all devices together."""
    assumed_size: bool
    """Whether the quantisation's bits were assumed."""
    native: Quantization | None
    """What the source holds; None where that is not known."""
    context_length: int | None
    """What the model was made for."""
    cache_element_bytes: int = 2
    """Of the cache's elements."""
    whole_experts: bool = False
    """Whether a group shares out experts one by one, instead of a part of each."""

    @property
    def dense_parameters(self) -> int:
        return self.parameters - (self.mixture.parameters if self.mixture else 0)

    @property
    def active_parameters(self) -> int:
        """Multiplied for each token: without the input's table, which is looked up."""
        lookup = 0 if self.tied_embeddings else self.embedding_parameters // 2
        active = self.dense_parameters - lookup
        if self.mixture is not None:
            active += self.mixture.parameters * self.mixture.per_token // self.mixture.count
        return max(1, active)


def shape_of(model: Model, known: KnownModel | None) -> ModelShape | None:
    """The model's shape; the deployment's own facts come first. None where neither knows it."""
    if model.facts is not None:
        return _from_facts(model.source, model.facts, model.quantization)
    if known is None:
        return None
    native = known.quantization_at(model.source)
    served = model.quantization or native or Quantization.NONE
    bits = bits_named(model.source) if served == Quantization.GGUF else None
    return _from_catalogue(Identity(known), served, native, bits)


@lru_cache(maxsize=4096)
def _from_catalogue(
    identity: Identity[KnownModel],
    quantization: Quantization,
    native: Quantization | None,
    bits: float | None,
) -> ModelShape:
    known = identity.record
    attention = known.attention
    embeddings = known.embedding_parameters
    if embeddings is None:
        embeddings = _usual_embeddings(known.parameters.number, known.hidden_size)
    published = known.weights.get(quantization) if bits in (None, USUAL_BITS) else None
    experts = known.experts
    return ModelShape(
        name=known.name,
        parameters=known.parameters.number,
        layers=known.layers,
        hidden_size=known.hidden_size,
        attention=attention.kind,
        heads=attention.heads,
        kv_heads=attention.kv_heads,
        head_dim=attention.head_dim,
        latent_dim=attention.latent_dim,
        full_layers=attention.full_layers or known.layers,
        window=attention.window or 0,
        state_bytes=int(attention.state.decimal) if attention.state is not None else 0,
        embedding_parameters=embeddings,
        tied_embeddings=known.tied_embeddings,
        intermediate_size=known.intermediate_size,
        mixture=(
            Mixture(experts.count, experts.per_token, experts.intermediate_size, experts.parameters.number)
            if experts is not None
            else None
        ),
        overflows_in_fp16=known.overflows_in_fp16,
        quantization=quantization,
        weights_bytes=(
            int(published.decimal)
            if published is not None
            else stored_bytes(known.parameters.number, embeddings, quantization, bits)
        ),
        assumed_size=published is None and quantization == Quantization.GGUF and bits is None,
        native=native,
        context_length=known.context_length,
    )


@lru_cache(maxsize=4096)
def _facts_shape(
    source: str, parameters: int, layers: int, kv_heads: int, head_dim: int, quantization: Quantization
) -> ModelShape:
    width = max(head_dim, round((parameters / (_PARAMETERS_PER_WIDTH_SQUARED * layers)) ** 0.5))
    embeddings = _usual_embeddings(parameters, width)
    bits = bits_named(source) if quantization == Quantization.GGUF else None
    return ModelShape(
        name=source.rpartition("/")[2],
        parameters=parameters,
        layers=layers,
        hidden_size=width,
        attention="grouped",
        heads=None,
        kv_heads=kv_heads,
        head_dim=head_dim,
        latent_dim=None,
        full_layers=layers,
        window=0,
        state_bytes=0,
        embedding_parameters=embeddings,
        tied_embeddings=False,
        intermediate_size=None,
        mixture=None,
        overflows_in_fp16=False,
        quantization=quantization,
        weights_bytes=stored_bytes(parameters, embeddings, quantization, bits),
        assumed_size=quantization == Quantization.GGUF and bits is None,
        native=None,
        context_length=None,
    )


def _from_facts(source: str, facts: ModelFacts, quantization: Quantization | None) -> ModelShape:
    return _facts_shape(
        source,
        facts.parameters.number,
        facts.layers,
        facts.kv_heads,
        facts.head_dim,
        quantization or Quantization.NONE,
    )


def _usual_embeddings(parameters: int, hidden_size: int) -> int:
    return min(2 * _USUAL_VOCABULARY * hidden_size, int(parameters * _LARGEST_EMBEDDING_SHARE))


def stored_bytes(
    parameters: int, embedding_parameters: int, quantization: Quantization, bits: float | None = None
) -> int:
    """Bytes of the weights: quantised models keep their embeddings in 16 bits, GGUF files do not. `bits` of a
    GGUF file's weight where they are known.
    """
    if quantization == Quantization.GGUF:
        return int(parameters * (bits or _BITS[quantization]) / 8)
    body = (parameters - embedding_parameters) * _BITS[quantization]
    return int((body + embedding_parameters * _UNQUANTIZED_BITS) / 8)


def quantized(shape: ModelShape, quantization: Quantization) -> ModelShape:
    """The same model in another quantisation, by its bits."""
    size = stored_bytes(shape.parameters, shape.embedding_parameters, quantization)
    return replace(shape, quantization=quantization, weights_bytes=size)

"""How long a step of the engine takes: T = α + β·tokens + γ·tokens of cache, from rooflines and coefficients.

α is reading the weights once, launching the layers and summing over the group; β is the work of a token; γ is
reading the cache. A prompt also attends to itself, which grows with its square. Mixtures of experts bend:
more tokens touch more experts, until all are read. This is a prior: what replicas measure takes its place.
"""

from dataclasses import dataclass

from pointsman.api import EngineName, Quantization
from pointsman.placement.coefficients import Efficiency, MixtureEfficiency, coefficients_of
from pointsman.placement.devices import Device
from pointsman.placement.memory import layer_cache_bytes
from pointsman.placement.precision import Precision
from pointsman.placement.shape import ModelShape, stored_bytes
from pointsman.placement.spread import Spread

_SUMS_PER_LAYER = 2
_ACTIVATION_BYTES = 2
_OPERATIONS_PER_PARAMETER = 2
# A product with the keys and one with the values, two operations each.
_OPERATIONS_PER_PAIR = 4
# Mean of 192 for keys and 128 for values, as DeepSeek's latent attention unfolds for prompts.
_LATENT_HEAD_DIM = 160
# A PCIe bus joins devices through the host: a sum takes some 30 µs to begin, where it takes 4 over NVLink.
# From memory; eight L40S with a 70B model are known to be unusable.
_SUM_FACTOR = {"nvlink": 1.0, "xgmi": 2.0, "pcie": 8.0}
# So many devices reach each other at the speed of their own bus; more of them share the way through the host.
# From memory, as the above.
_ON_ONE_BUS = 2
# Handing activations from one stage of a pipeline to the next, over the nodes' network; from memory.
STAGE_SECONDS = 2e-4


@dataclass(frozen=True, slots=True)
class StepTime:
    """The law for one replica; in seconds.

    `experts` is reading all of them, `missed` the share that one token leaves untouched.
    """

    fixed: float
    per_token: float
    per_sequence: float
    per_cached_token: float
    per_pair: float = 0.0
    """A prompt's token and one before it that it attends to."""
    experts: float = 0.0
    missed: float = 1.0

    def seconds(self, tokens: float, sequences: float, cached_tokens: float) -> float:
        """A step with so many tokens, of which each of `sequences` running requests decodes one."""
        time = (
            self.fixed
            + self.per_token * tokens
            + self.per_sequence * sequences
            + self.per_cached_token * cached_tokens
        )
        if self.experts:
            time += self.experts * (1.0 - self.missed**tokens)
        return time


def step_time(
    shape: ModelShape, device: Device, spread: Spread, precision: Precision, engine: EngineName
) -> StepTime:
    """The law of one replica of the model, spread over these devices."""
    mixture = shape.mixture
    efficiency = coefficients_of(engine).efficiency(mixture is not None, device.capability)
    tensor = spread.tensor
    operations = _OPERATIONS_PER_PARAMETER * shape.active_parameters
    peak_seconds = operations / tensor / precision.operations_per_second
    achieved: float = getattr(efficiency.compute, precision.compute)
    read = _read_bytes(shape) / tensor / device.memory_bandwidth
    fixed = (
        efficiency.fixed_microseconds * 1e-6
        + shape.layers * efficiency.layer_microseconds * 1e-6
        + read / efficiency.weight_bandwidth
        + (spread.pipeline - 1) * STAGE_SECONDS
    )
    per_token = peak_seconds / achieved
    if tensor > 1:
        fixed += _SUMS_PER_LAYER * shape.layers * _sum_seconds(efficiency, tensor) * _SUM_FACTOR[device.link]
        exchanged = (
            _SUMS_PER_LAYER * shape.layers * shape.hidden_size * _ACTIVATION_BYTES * 2 * (tensor - 1) / tensor
        )
        shared = max(1.0, tensor / _ON_ONE_BUS) if device.link == "pcie" else 1.0
        per_token += exchanged * shared / device.link_bandwidth / efficiency.link_bandwidth
    per_sequence = efficiency.sequence_microseconds * 1e-6
    experts, missed = 0.0, 1.0
    if mixture is not None:
        bandwidth, spread_of_choice = efficiency.weight_bandwidth, 1.0
        if isinstance(efficiency, MixtureEfficiency):
            bandwidth, spread_of_choice = efficiency.expert_bandwidth, efficiency.spread
            per_sequence += efficiency.decode_work * peak_seconds
        experts = _expert_bytes(shape) / tensor / device.memory_bandwidth / bandwidth
        missed = (1 - mixture.per_token / mixture.count) ** spread_of_choice
    return StepTime(
        fixed=fixed,
        per_token=per_token,
        per_sequence=per_sequence,
        per_cached_token=shape.full_layers
        * layer_cache_bytes(shape, tensor)
        / device.memory_bandwidth
        / efficiency.cache_bandwidth,
        per_pair=_OPERATIONS_PER_PAIR
        * shape.full_layers
        * _attended_width(shape)
        / tensor
        / precision.sixteen_bits
        / efficiency.attention,
        experts=experts,
        missed=missed,
    )


def _attended_width(shape: ModelShape) -> int:
    """What a token's queries are wide, all heads together."""
    if shape.heads is None or shape.attention == "none":
        return shape.hidden_size
    return shape.heads * (_LATENT_HEAD_DIM if shape.attention == "latent" else shape.head_dim or 0)


def _sum_seconds(efficiency: Efficiency, tensor: int) -> float:
    """One sum over the group; sizes that were not measured take the next larger one, or the largest."""
    measured = sorted(efficiency.sum_microseconds.items())
    fitting = [time for size, time in measured if size >= tensor]
    return (fitting[0] if fitting else measured[-1][1] if measured else 0.0) * 1e-6


def _expert_bytes(shape: ModelShape) -> float:
    """Bytes of all experts, which are the quantised part of a mixture."""
    mixture = shape.mixture
    if mixture is None:
        return 0.0
    if shape.quantization in (Quantization.NONE, Quantization.GGUF):
        return shape.weights_bytes * mixture.parameters / shape.parameters
    return float(stored_bytes(mixture.parameters, 0, shape.quantization))


def _read_bytes(shape: ModelShape) -> float:
    """Bytes that every step reads: all but the experts and the input's table."""
    lookup = 0 if shape.tied_embeddings else shape.embedding_parameters // 2
    sixteen_bits = 2
    return max(shape.weights_bytes - _expert_bytes(shape), 0.0) - min(
        lookup * sixteen_bits, shape.weights_bytes / 4
    )

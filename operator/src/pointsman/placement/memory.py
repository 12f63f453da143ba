"""What a replica needs of its devices' memory, and how many tokens of cache remain."""

from dataclasses import dataclass

from pointsman.placement.coefficients import MemoryUse
from pointsman.placement.devices import GIBIBYTE, Device
from pointsman.placement.shape import ModelShape
from pointsman.placement.spread import Spread

# Weights take a little more when they run than in their files (KAITO measured 2 %).
LAYOUT_FACTOR = 1.02
# Each loaded adapter has a slot for the largest rank that the engine is told, in 16 bits; a batch mixes at
# most so many (both as the engines are started in the room above).
ADAPTER_RANK = 64
MOST_LOADED_ADAPTERS = 8
_ADAPTER_ELEMENT_BYTES = 2
# Where the width of the feed-forward part is not known: that of recent models, in hidden sizes.
_USUAL_WIDENING = 3.5
_SMALL_DEVICE_BYTES = 25 * GIBIBYTE


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes on each device of a spread; `room` is what remains for the cache and may be negative."""

    weights: int
    overhead: int
    usable: int
    kv_per_token: int
    per_request: int
    """What a running request takes whatever its length: windows, states."""

    @property
    def room(self) -> int:
        return self.usable - self.weights - self.overhead

    def cache_tokens(self, requests: int) -> int:
        """Tokens that the cache holds while so many requests run."""
        left = self.room - requests * self.per_request
        if left < 0:
            return 0
        return left // self.kv_per_token if self.kv_per_token else 2**62

    def longest_context(self, requests: int) -> int:
        """Tokens that each of so many requests could have at once; 0 where not even one fits."""
        left = self.room // requests - self.per_request
        return max(0, left // self.kv_per_token) if self.kv_per_token else 0

    def one_request(self, tokens: int) -> int:
        """Bytes of cache of one request of so many tokens."""
        return tokens * self.kv_per_token + self.per_request


def memory_need(shape: ModelShape, device: Device, spread: Spread, use: MemoryUse, adapters: int = 0) -> Need:
    """The need on each device; stages of a pipeline are taken as even."""
    weights = int(shape.weights_bytes * LAYOUT_FACTOR / spread.devices)
    small = device.memory_bytes < _SMALL_DEVICE_BYTES
    overhead = (use.small_base_gibibytes if small else use.base_gibibytes) * GIBIBYTE
    overhead += use.per_weight * weights
    if spread.devices > 1:
        overhead += use.group_gibibytes * GIBIBYTE
    if adapters:
        overhead += min(adapters, MOST_LOADED_ADAPTERS) * adapter_bytes(shape, spread)
    per_token, per_request = cache_bytes(shape, spread)
    return Need(
        weights=weights,
        overhead=int(overhead),
        usable=int(use.usable * device.memory_bytes),
        kv_per_token=per_token,
        per_request=per_request,
    )


def cache_bytes(shape: ModelShape, spread: Spread) -> tuple[int, int]:
    """Bytes on each device: of one token, and of a running request whatever its length (windows, states)."""
    layers = -(-shape.layers // spread.pipeline)
    full = -(-shape.full_layers // spread.pipeline)
    per_layer = layer_cache_bytes(shape, spread.tensor)
    state = -(-shape.state_bytes // (spread.tensor * spread.pipeline))
    return full * per_layer, (layers - full) * per_layer * shape.window + state


def adapter_bytes(shape: ModelShape, spread: Spread) -> int:
    """A slot of one adapter on each device: the inner halves are copied, the outer ones are shared out.

    Of mixtures the attention alone is counted, as adapters of experts are rare.
    """
    hidden = shape.hidden_size
    queries = shape.heads * shape.head_dim if shape.heads and shape.head_dim else hidden
    keys = shape.kv_heads * shape.head_dim if shape.kv_heads and shape.head_dim else hidden
    inner, outer = 3 * hidden + queries, queries + 2 * keys + hidden
    if shape.mixture is None:
        wide = shape.intermediate_size or int(_USUAL_WIDENING * hidden)
        inner, outer = inner + 2 * hidden + wide, outer + 2 * wide + hidden
    elements = ADAPTER_RANK * (inner + outer / spread.tensor) * shape.layers / spread.pipeline
    return int(elements * _ADAPTER_ELEMENT_BYTES)


def layer_cache_bytes(shape: ModelShape, tensor: int) -> int:
    """Bytes that one token takes in one layer on each device of a group.

    Heads are shared out until each device has one, and copied beyond; a latent vector (MLA) is the same on
    every device.
    """
    if shape.attention == "latent" and shape.latent_dim is not None:
        return shape.latent_dim * shape.cache_element_bytes
    if shape.attention == "grouped" and shape.kv_heads is not None and shape.head_dim is not None:
        return 2 * max(1, -(-shape.kv_heads // tensor)) * shape.head_dim * shape.cache_element_bytes
    return 0

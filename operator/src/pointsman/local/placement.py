"""Where a model runs in local mode: on this machine's CPU, if its memory can hold it. Pure.

Memory of one replica is keys and values for every request it may work on, and working buffers; the weights
are mapped from the file and shared by all replicas of it.
"""

from dataclasses import dataclass

from pointsman.local.engines.spec import EngineSpec
from pointsman.local.weights.gguf import ModelFacts

ACCELERATOR = "cpu"

BUFFERS_BYTES = 300 * 1024 * 1024
"""Working buffers of one llama.cpp process: the low end of 0.3 to 1 GiB, which depend on the vocabulary.
Low, because a model that might fit should be tried; 104 MB were used beside the weights by a 270M model
with 1,024 tokens of context.
"""


@dataclass(frozen=True)
class Need:
    """Bytes of memory: `weights` once, `per_replica` for each replica."""

    weights: int
    cache: int
    buffers: int

    @property
    def per_replica(self) -> int:
        return self.cache + self.buffers

    def total(self, replicas: int) -> int:
        return self.weights + replicas * self.per_replica


def memory_need(spec: EngineSpec, facts: ModelFacts) -> Need:
    """What a spec's replicas need. Keys and values are counted as 16 bit and for every layer: an upper
    bound for models whose layers look at a window, and for a cache that `engine.args` quantise.
    """
    tokens = spec.context_length * spec.concurrency
    return Need(spec.weights_bytes, tokens * facts.kv_bytes_per_token, BUFFERS_BYTES)


def room_for(need: Need, available_bytes: int, running: int) -> int:
    """How many more replicas fit beside those that run, which have the weights in memory already."""
    left = available_bytes - (0 if running else need.weights)
    return max(0, left // need.per_replica)


def fits(spec: EngineSpec, need: Need) -> str:
    """The choice in words."""
    return (
        f"this machine's CPU: {gigabytes(need.weights)} of weights, shared by all replicas, and for each "
        f"replica {gigabytes(need.cache)} of cache for {_times(spec.concurrency, 'request')} of "
        f"{spec.context_length} tokens and {gigabytes(need.buffers)} of buffers"
    )


def too_big(spec: EngineSpec, facts: ModelFacts, need: Need, available_bytes: int) -> str:
    """Why not even one replica fits, and what would make it fit."""
    left = available_bytes - need.weights - need.buffers
    per_token = max(1, facts.kv_bytes_per_token)
    ways = []
    if left >= per_token * spec.context_length:
        ways.append(f"lower spec.engine.maxConcurrency to {left // (per_token * spec.context_length)}")
    tokens = left // per_token // spec.concurrency // 256 * 256
    if facts.context_length:
        # More than it was made for would fit, and be of no use.
        tokens = min(tokens, facts.context_length)
    if tokens > 0:
        ways.append(f"lower spec.model.contextLength to {tokens}")
    if not ways:
        ways.append("take a smaller model or a smaller quantisation of it")
    ways.append("or end other programs")
    return (
        f"one replica needs {gigabytes(need.total(1))} ({gigabytes(need.weights)} of weights, "
        f"{gigabytes(need.cache)} of cache, {gigabytes(need.buffers)} of buffers) and this machine had "
        f"{gigabytes(available_bytes)} available; {', '.join(ways)}"
    )


def gigabytes(count: int) -> str:
    """Bytes as people say them: 253 MB, 4.9 GB."""
    return f"{count / 1e6:.0f} MB" if count < 1e9 else f"{count / 1e9:.1f} GB"


def _times(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

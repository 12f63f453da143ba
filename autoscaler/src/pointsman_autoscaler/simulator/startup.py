"""How long a replica takes from the decision to its first answer, in pieces. Pure.

A node (none where one is warm), the image, the weights, the engine's own beginning. Medians and spreads are
those of published starts: a machine with accelerators is there after 2.5 minutes (lognormal, σ 0.4), an image
of 20 GB takes 90 to 360 s to pull and unpack, weights flow at 0.5 to 5 GB/s, and an engine needs 45 s for a
model of 8 billion parameters and 75 s for one of 70 billion to compile and to capture its graphs (σ 0.25).
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from pointsman_autoscaler.view import Startup

PIECES = 4
"""Random numbers that one start takes."""

_NODE_MEDIAN_SECONDS, _NODE_SIGMA = 150.0, 0.4
_IMAGE_SECONDS = (90.0, 360.0)
_BYTES_PER_SECOND = (0.5e9, 5e9)
_ENGINE_SIGMA = 0.25
# Two points of the engine's time: 8 and 70 billion parameters, in 16 and in 8 bits.
_SMALL, _LARGE = (16e9, 45.0), (70e9, 75.0)
# Scheduling a pod and starting its container.
_POD_SECONDS = 10.0
_SAMPLES = 4096


@dataclass(frozen=True, slots=True)
class StartupPieces:
    """Of one start, in seconds. A machine is paid for from its beginning, so all of it is."""

    node: float
    image: float
    weights: float
    engine: float

    @property
    def seconds(self) -> float:
        return self.node + self.image + self.weights + self.engine


@dataclass(frozen=True, slots=True)
class StartupDistribution:
    """Each piece by itself; what is not needed has a median or an upper end of zero."""

    name: str
    node_median_seconds: float = 0.0
    node_sigma: float = _NODE_SIGMA
    image_seconds: tuple[float, float] = (0.0, 0.0)
    """Least and most: evenly distributed."""
    weights_bytes: float = 0.0
    bytes_per_second: tuple[float, float] = _BYTES_PER_SECOND
    """Least and most; evenly distributed on the logarithm."""
    engine_median_seconds: float = 45.0
    engine_sigma: float = _ENGINE_SIGMA

    def pieces(self, luck: tuple[float, float, float, float]) -> StartupPieces:
        """The start with these four random numbers in (0, 1): the same numbers are as lucky everywhere."""
        normal = NormalDist()
        least, most = self.image_seconds
        slow, fast = self.bytes_per_second
        return StartupPieces(
            node=self.node_median_seconds * math.exp(self.node_sigma * normal.inv_cdf(luck[0])),
            image=least + (most - least) * luck[1],
            weights=self.weights_bytes / (fast * (slow / fast) ** luck[2]),
            engine=self.engine_median_seconds * math.exp(self.engine_sigma * normal.inv_cdf(luck[3])),
        )

    @property
    def quantiles(self) -> Startup:
        """What a flavour is expected to take; what is seen of its pods takes its place."""
        return _quantiles(self)


@lru_cache(maxsize=64)
def _quantiles(distribution: StartupDistribution) -> Startup:
    random = np.random.default_rng(0).uniform(1e-6, 1 - 1e-6, (_SAMPLES, PIECES))
    seconds = [distribution.pieces((a, b, c, d)).seconds for a, b, c, d in random.tolist()]
    p50, p90 = np.quantile(seconds, (0.5, 0.9)).tolist()
    return Startup(p50, p90)


def fixed(seconds: float) -> StartupDistribution:
    """Always the same, where a test or an ablation needs it."""
    return StartupDistribution("fixed", engine_median_seconds=seconds, engine_sigma=0.0)


def cached(weights_bytes: float) -> StartupDistribution:
    """Image, weights and what was compiled lie on the node: 50 to 60 s, as llm-d saw with such a cache."""
    return StartupDistribution("cached", weights_bytes=weights_bytes, bytes_per_second=(4e9, 5e9))


def warm_node(weights_bytes: float) -> StartupDistribution:
    """A node with the image waits, weights come from a volume.

    About 110 s for 32 billion parameters, as llm-d saw, and 65 s for small ones.
    """
    return StartupDistribution(
        "warm node",
        weights_bytes=weights_bytes,
        bytes_per_second=(1e9, 5e9),
        engine_median_seconds=_engine_seconds(weights_bytes) + _POD_SECONDS,
    )


def cold_node(weights_bytes: float) -> StartupDistribution:
    """A machine begins, pulls the image and the weights: 4 to 10 minutes."""
    return StartupDistribution(
        "cold node",
        node_median_seconds=_NODE_MEDIAN_SECONDS,
        image_seconds=_IMAGE_SECONDS,
        weights_bytes=weights_bytes,
        engine_median_seconds=_engine_seconds(weights_bytes),
    )


def _engine_seconds(weights_bytes: float) -> float:
    """Straight through both points, and not below the first."""
    (small, least), (large, most) = _SMALL, _LARGE
    return max(least, least + (most - least) * (weights_bytes - small) / (large - small))

"""What an engine makes of an accelerator: shares of its peaks, times per step, memory it keeps for itself.

Data with provenance (`data/coefficients.yaml`); how it becomes a step time is said in `steptime`.
"""

from functools import cache
from importlib import resources
from typing import Annotated

import yaml
from pydantic import Field, StringConstraints

from pointsman.api import EngineName
from pointsman.api.record import Record

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_ShareOfPeak = Annotated[float, Field(gt=0, le=1)]
_Microseconds = Annotated[float, Field(ge=0, le=100_000)]
_BLACKWELL = 10.0  # compute capability
_Gibibytes = Annotated[float, Field(ge=0, le=64)]


class MemoryUse(Record):
    """What of an accelerator's memory is not there for weights and cache."""

    usable: _ShareOfPeak
    base_gibibytes: _Gibibytes
    small_base_gibibytes: _Gibibytes
    per_weight: Annotated[float, Field(ge=0, le=1)]
    group_gibibytes: _Gibibytes


class Compute(Record):
    """Achieved share of the dense peak, by the precision that is computed in."""

    bf16: _ShareOfPeak
    fp8: _ShareOfPeak
    fp4: _ShareOfPeak
    int8: _ShareOfPeak


class Efficiency(Record):
    """How an engine's steps relate to the accelerator's peaks, for models whose every weight is used."""

    fixed_microseconds: _Microseconds
    layer_microseconds: _Microseconds
    sequence_microseconds: _Microseconds
    weight_bandwidth: _ShareOfPeak
    cache_bandwidth: _ShareOfPeak
    link_bandwidth: _ShareOfPeak
    compute: Compute
    attention: _ShareOfPeak
    """Of the 16-bit peak, while a prompt attends to itself."""
    sum_microseconds: dict[int, _Microseconds]
    """One sum over a tensor-parallel group, by its size; there are two in each layer."""
    source: _Text


class MixtureEfficiency(Efficiency):
    """The same for mixtures of experts, whose steps grow with the number of experts that are touched."""

    expert_bandwidth: _ShareOfPeak
    spread: _ShareOfPeak
    """How evenly tokens choose: 1 is at random, less is fewer experts."""
    decode_work: Annotated[float, Field(ge=0, le=100)]
    """Extra work of a decoded token, in multiples of its peak compute time: few tokens an expert waste."""


class Generation(Record):
    """The coefficients of one generation of accelerators."""

    dense: Efficiency
    mixture: MixtureEfficiency | None = None


class EngineCoefficients(Generation):
    """One engine's; those of Blackwell apart, where they were measured."""

    memory: MemoryUse
    memory_source: _Text
    blackwell: Generation | None = None

    def efficiency(self, mixture: bool, capability: float | None) -> Efficiency:
        """Of a compute capability (None: not NVIDIA's); a mixture without its own is taken as dense."""
        generation: Generation = self
        if self.blackwell is not None and capability is not None and capability >= _BLACKWELL:
            generation = self.blackwell
        return generation.mixture if mixture and generation.mixture is not None else generation.dense


class Coefficients(Record):
    engines: dict[EngineName, EngineCoefficients]


@cache
def shipped_coefficients() -> Coefficients:
    text = (resources.files("pointsman.placement") / "data" / "coefficients.yaml").read_text("utf-8")
    return Coefficients.model_validate(yaml.safe_load(text))


def coefficients_of(engine: EngineName) -> EngineCoefficients:
    return shipped_coefficients().engines[engine]

"""Measured step times (tests/data/profiles), and what placement predicts for the same replicas."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pointsman.api import EngineName, FleetSettings, Quantization
from pointsman.catalog import shipped_catalog
from pointsman.placement.capacity import latency_at
from pointsman.placement.demand import Bound, Demand, Traffic
from pointsman.placement.devices import Device, device_named
from pointsman.placement.precision import Precision, precision_on
from pointsman.placement.shape import ModelShape, quantized, shape_of
from pointsman.placement.spread import Spread
from pointsman.placement.steptime import StepTime, step_time
from tests.support.builders import deployment

PROFILES = Path(__file__).parent.parent / "data" / "profiles" / "measured_latency.csv"

_ACCELERATORS = {"h100_sxm": "H100-SXM", "h200_sxm": "H200-SXM", "b200_sxm": "B200-SXM"}
_MODELS = {
    "meta-llama/Llama-3.1-70B": "Llama-3.1-70B-Instruct",
    "meta-llama/Llama-3.1-8B-Instruct": "Llama-3.1-8B-Instruct",
    "nvidia/Llama-3.1-8B-Instruct-FP8": "Llama-3.1-8B-Instruct",
    "Qwen/Qwen3-32B": "Qwen3-32B",
    "openai/gpt-oss-120b": "gpt-oss-120b",
}
_PRECISIONS = {"": Quantization.NONE, "fp8": Quantization.FP8}

# The shapes of traffic (tokens in, tokens out) that the coefficients were not fitted to.
HELD_OUT = {(1024, 1024), (4096, 512), (2048, 256)}


@dataclass(frozen=True)
class Scenario:
    """What replicas are asked: rows of one scenario can be compared by cost."""

    engine: EngineName
    model: str
    """A name of the catalogue."""
    quantization: Quantization
    traffic: Traffic

    @property
    def is_mixture(self) -> bool:
        return shipped_catalog().models[self.model].experts is not None

    @property
    def shape(self) -> ModelShape:
        known = shipped_catalog().models[self.model]
        model = deployment("m", source=known.sources[0]).spec.model
        assert model is not None
        shape = shape_of(model, known)
        assert shape is not None
        return shape if shape.quantization == self.quantization else quantized(shape, self.quantization)


@dataclass(frozen=True)
class Row:
    """One measurement: means in seconds at a fixed concurrency."""

    scenario: Scenario
    accelerator: str
    tensor: int
    concurrency: int
    version: str
    ttft: float
    itl: float

    @property
    def shape(self) -> ModelShape:
        """The model as this row's engine held it.

        Llama on B200 kept its cache in 8 bits: more requests ran than fit in 16, faster than 16 can be read.
        """
        shape = self.scenario.shape
        eight_bits = self.accelerator == "B200-SXM" and not self.scenario.is_mixture
        return replace(shape, cache_element_bytes=1) if eight_bits else shape

    @property
    def requests_per_second(self) -> float:
        return self.concurrency / (self.ttft + self.scenario.traffic.output_tokens * self.itl)

    @property
    def held_out(self) -> bool:
        traffic = self.scenario.traffic
        return (traffic.input_tokens, traffic.output_tokens) in HELD_OUT

    @property
    def is_doubtful(self) -> bool:
        """Rows of this version in fp8 are partly faster than the accelerator's peaks allow: not fitted."""
        return (
            self.scenario.engine == EngineName.VLLM
            and self.version == "0.12.0"
            and self.scenario.quantization == Quantization.FP8
        )


@cache
def rows() -> tuple[Row, ...]:
    """Every row that placement has coefficients for."""
    with PROFILES.open(encoding="utf-8", newline="") as file:
        return tuple(_row(line) for line in csv.DictReader(file))


def _row(line: Mapping[str, str]) -> Row:
    model = _MODELS[line["model"]]
    four_bits = Quantization.MXFP4 if model == "gpt-oss-120b" else Quantization.NVFP4
    return Row(
        Scenario(
            EngineName(line["engine"]),
            model,
            _PRECISIONS.get(line["precision"], four_bits),
            Traffic(int(line["input_tokens"]), int(line["output_tokens"])),
        ),
        _ACCELERATORS[line["gpu"]],
        int(line["tensor_parallel"]),
        int(line["concurrency"]),
        line["engine_version"],
        float(line["ttft_ms"]) / 1e3,
        float(line["tpot_ms"]) / 1e3,
    )


def device(name: str) -> Device:
    found = device_named(name, FleetSettings(), shipped_catalog())
    assert found is not None
    return found


def law(row: Row) -> StepTime:
    """The step time that placement assumes for the row's replica."""
    shape, on = row.shape, device(row.accelerator)
    precision = precision_on(on, shape, row.scenario.engine)
    assert isinstance(precision, Precision)
    return step_time(shape, on, Spread(row.tensor, 1, 1), precision, row.scenario.engine)


def predicted_itl(row: Row) -> float:
    """The mean time between tokens that placement expects, in seconds."""
    demand = Demand((Bound("itl", 0.5, 1.0),), row.scenario.traffic, stated=True)
    return latency_at(law(row), 1, row.concurrency, demand).itl


def mean_error(some: Iterable[Row]) -> float:
    """Mean absolute error of the predicted time between tokens, as a share of the measured one."""
    errors = [abs(predicted_itl(row) / row.itl - 1) for row in some]
    return sum(errors) / len(errors)


@dataclass(frozen=True)
class Configuration:
    """An accelerator and the size of a tensor-parallel group, with its rows by rising concurrency."""

    accelerator: str
    tensor: int
    rows: tuple[Row, ...]

    def capacity(self, itl: float, ttft: float) -> float:
        """Requests a second at the highest concurrency whose latencies stay within the bounds; 0 for none.

        Between two measured concurrencies latencies are taken to rise evenly.
        """
        best = 0.0
        for first, second in zip(self.rows, (*self.rows[1:], self.rows[-1]), strict=True):
            share = min(1.0, _within(first.itl, second.itl, itl), _within(first.ttft, second.ttft, ttft))
            if share < 0:
                break
            running = first.concurrency + share * (second.concurrency - first.concurrency)
            answer = first.itl + share * (second.itl - first.itl)
            first_token = first.ttft + share * (second.ttft - first.ttft)
            tokens = first.scenario.traffic.output_tokens
            best = max(best, running / (first_token + tokens * answer))
            if share < 1:
                break
        return best


def _within(first: float, second: float, bound: float) -> float:
    """How far from the first value to the second the bound holds; below 0 where it does not at the first."""
    if first > bound:
        return -1.0
    return 1.0 if second <= bound else (bound - first) / (second - first)


def scenarios(some: Iterable[Row]) -> dict[Scenario, tuple[Configuration, ...]]:
    """Rows by scenario and configuration, where there is something to choose; equal runs are averaged."""
    found: dict[Scenario, dict[tuple[str, int], dict[int, list[Row]]]] = {}
    for row in some:
        configurations = found.setdefault(row.scenario, {})
        configurations.setdefault((row.accelerator, row.tensor), {}).setdefault(row.concurrency, []).append(
            row
        )
    return {
        scenario: tuple(
            Configuration(name, tensor, tuple(_mean(by_concurrency[n]) for n in sorted(by_concurrency)))
            for (name, tensor), by_concurrency in sorted(configurations.items())
        )
        for scenario, configurations in found.items()
        if len(configurations) > 1
    }


def _mean(same: list[Row]) -> Row:
    """One row for several engine versions at the same concurrency."""
    count = len(same)
    return replace(
        same[0], ttft=sum(row.ttft for row in same) / count, itl=sum(row.itl for row in same) / count
    )

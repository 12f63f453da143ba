"""The law of step times against measurements, and against estimates where nothing was measured."""

from __future__ import annotations

import pytest

from pointsman.api import EngineName
from pointsman.placement.precision import Precision, precision_on
from pointsman.placement.spread import Spread
from pointsman.placement.steptime import StepTime, step_time
from tests.support.placements import device, shape
from tests.support.profiles import Row, mean_error, rows

# (engine, model, quantization, accelerator) -> mean absolute error of the time between tokens: of the rows
# that were fitted, and of those that were held out. The limits are what was found, rounded up by a point.
ERRORS = {
    ("vllm", "Llama-3.1-70B-Instruct", "fp8", "H100-SXM"): (0.055, 0.040),
    ("vllm", "Llama-3.1-70B-Instruct", "fp8", "H200-SXM"): (0.055, 0.055),
    ("vllm", "Llama-3.1-70B-Instruct", "fp8", "B200-SXM"): (0.065, 0.055),
    ("vllm", "Llama-3.1-70B-Instruct", "nvfp4", "B200-SXM"): (0.050, 0.105),
    ("vllm", "Qwen3-32B", "none", "H100-SXM"): (0.060, 0.050),
    ("vllm", "gpt-oss-120b", "mxfp4", "H100-SXM"): (0.115, 0.120),
    ("vllm", "gpt-oss-120b", "mxfp4", "H200-SXM"): (0.045, 0.055),
    ("vllm", "gpt-oss-120b", "mxfp4", "B200-SXM"): (0.085, 0.060),
    ("sglang", "Qwen3-32B", "none", "H100-SXM"): (0.145, 0.100),
    ("sglang", "Llama-3.1-8B-Instruct", "fp8", "H200-SXM"): (0.070, None),
}


def _group(row: Row) -> tuple[str, str, str, str]:
    scenario = row.scenario
    return (scenario.engine.value, scenario.model, scenario.quantization.value, row.accelerator)


@pytest.mark.parametrize("group", ERRORS, ids=" ".join)
def test_the_law_is_near_what_was_measured(group: tuple[str, str, str, str]) -> None:
    of_group = [row for row in rows() if _group(row) == group and not row.is_doubtful]
    for held_out, limit in zip((False, True), ERRORS[group], strict=True):
        some = [row for row in of_group if row.held_out == held_out]
        assert (limit is None) == (not some)
        if limit is not None:
            assert mean_error(some) <= limit


def test_every_measured_group_is_judged() -> None:
    assert {_group(row) for row in rows() if not row.is_doubtful} == set(ERRORS)


# Estimates of aiconfigurator-core 0.12.0 for vLLM in bf16: ms for a step without load, for a token of a
# prompt, and for a token of cache. Where nothing was measured end to end, the law must not be far from them.
ESTIMATES = {
    "8B on H100": ("Llama-3.1-8B-Instruct", "H100-SXM", 1, 6.23, 0.0171, 4.2e-5),
    "8B on A100": ("Llama-3.1-8B-Instruct", "A100-80-SXM", 1, 11.67, 0.0550, 8.2e-5),
    "8B on L40S": ("Llama-3.1-8B-Instruct", "L40S", 1, 21.46, 0.0556, 1.9e-4),
    "32B on two A100": ("Qwen3-32B", "A100-80-SXM", 2, 24.87, 0.128, 9.1e-5),
    "70B on four A100": ("Llama-3.3-70B-Instruct", "A100-80-SXM", 4, 27.89, 0.150, 6.0e-5),
    "70B on four H100": ("Llama-3.3-70B-Instruct", "H100-SXM", 4, 14.98, 0.0544, 2.8e-5),
}


@pytest.mark.parametrize("name", ESTIMATES)
def test_the_law_is_near_estimates_where_nothing_was_measured(name: str) -> None:
    model, accelerator, tensor, want_fixed, want_token, want_cached = ESTIMATES[name]
    law = _law(model, accelerator, tensor)
    assert law.fixed * 1e3 == pytest.approx(want_fixed, rel=0.35)
    assert law.per_token * 1e3 == pytest.approx(want_token, rel=0.35)
    assert law.per_cached_token * 1e3 == pytest.approx(want_cached, rel=0.35)


def test_experts_are_read_as_tokens_touch_them() -> None:
    law = _law("gpt-oss-120b", "H100-SXM", 2)
    one, two, many = (law.seconds(n, n, 0) - law.per_token * n - law.per_sequence * n for n in (1, 2, 500))
    assert one < two < many
    assert two - one < one - law.fixed
    assert many == pytest.approx(law.fixed + law.experts)


def test_a_bus_is_slower_than_fast_links() -> None:
    bus, fast = _law("Llama-3.3-70B-Instruct", "L40S", 4), _law("Llama-3.3-70B-Instruct", "A100-80-SXM", 4)
    # The L40S computes faster, and yet: what a token exchanges over the bus is more than its work.
    assert bus.per_token > 1.5 * fast.per_token


def _law(model: str, accelerator: str, tensor: int) -> StepTime:
    found, on = shape(model), device(accelerator)
    precision = precision_on(on, found, EngineName.VLLM)
    assert isinstance(precision, Precision)
    return step_time(found, on, Spread(tensor, 1, 1), precision, EngineName.VLLM)

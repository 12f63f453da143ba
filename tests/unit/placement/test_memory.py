"""What a replica needs of memory, by quantisation, attention and spread."""

import pytest

from pointsman.api import EngineName, Quantization
from pointsman.api.hardware import Hardware
from pointsman.catalog import shipped_catalog
from pointsman.placement import Inventory, Traffic
from pointsman.placement.coefficients import coefficients_of
from pointsman.placement.demand import Demand
from pointsman.placement.devices import GIBIBYTE
from pointsman.placement.fitting import Fleet, options
from pointsman.placement.memory import layer_cache_bytes, memory_need
from pointsman.placement.options import Asked, Option
from pointsman.placement.shape import stored_bytes
from pointsman.placement.spread import Spread
from tests.support.placements import EVERYTHING, device, shape

VLLM = coefficients_of(EngineName.VLLM).memory
KIBIBYTE = 1024
MODELS = sorted(shipped_catalog().models)
EVERY_ACCELERATOR = Fleet(EVERYTHING, shipped_catalog(), Inventory())

WEIGHTS = {
    "16 bits are two bytes each": ("Llama-3.1-8B-Instruct", "none", 14.96),
    "fp8 keeps the embeddings in 16 bits": ("Llama-3.1-8B-Instruct", "fp8", 8.46),
    "awq keeps the embeddings in 16 bits, as the published file does": ("Qwen3-8B", "awq", 5.68),
    "a mixture counts all its experts": ("Qwen3-30B-A3B", "none", 56.8),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_by_quantization(name: str) -> None:
    model, quantization, want_gibibytes = WEIGHTS[name]
    found = shape(model)
    size = stored_bytes(found.parameters, found.embedding_parameters, Quantization(quantization))
    assert size / GIBIBYTE == pytest.approx(want_gibibytes, rel=0.02)


def test_published_sizes_come_before_computed_ones() -> None:
    assert shape("gpt-oss-120b").weights_bytes == 61 * GIBIBYTE
    assert shape("DeepSeek-R1-0528").weights_bytes == pytest.approx(641.3 * GIBIBYTE)


# KiB of one token on each device of a group, as published for these models.
CACHE = {
    "grouped heads, whole": ("Qwen3-32B", 1, 256),
    "grouped heads are shared out": ("Qwen3-32B", 4, 64),
    "heads are copied beyond their number": ("Qwen3-30B-A3B", 8, 24),
    "a head is wider than hidden by heads": ("Qwen3-0.6B", 1, 112),
    "only full layers remember": ("gemma-3-27b-it", 1, 80),
    "a window's layers are not counted by token": ("gpt-oss-120b", 1, 36),
    "hybrid layers hold a state instead": ("Qwen3.6-27B", 1, 64),
    "a latent vector is the same on every device": ("DeepSeek-R1-0528", 8, 68.625),
    "encoders have no cache": ("bge-m3", 1, 0),
}


@pytest.mark.parametrize("name", CACHE)
def test_cache_of_a_token_by_attention(name: str) -> None:
    model, tensor, want_kibibytes = CACHE[name]
    need = memory_need(shape(model), device("H200-SXM"), Spread(tensor, 1, 1), VLLM)
    assert need.kv_per_token / KIBIBYTE == want_kibibytes


def test_windows_and_states_are_paid_once_a_request() -> None:
    window = memory_need(shape("gemma-3-27b-it"), device("H200-SXM"), Spread(1, 1, 1), VLLM)
    assert window.per_request == 52 * layer_cache_bytes(shape("gemma-3-27b-it"), 1) * 1024
    state = memory_need(shape("Qwen3.6-27B"), device("H200-SXM"), Spread(2, 1, 1), VLLM)
    assert state.per_request == 151_000_000 // 2
    assert state.cache_tokens(10) == (state.room - 10 * state.per_request) // state.kv_per_token


def test_overhead_is_the_engines_and_smaller_on_small_accelerators() -> None:
    one = Spread(1, 1, 1)
    large = memory_need(shape("Qwen3-0.6B"), device("H100-SXM"), one, VLLM)
    small = memory_need(shape("Qwen3-0.6B"), device("A10"), one, VLLM)
    assert large.overhead == pytest.approx(2.3 * GIBIBYTE + 0.05 * large.weights, abs=2)
    assert small.overhead == pytest.approx(1.5 * GIBIBYTE + 0.05 * small.weights, abs=2)
    group = memory_need(shape("Qwen3-0.6B"), device("H100-SXM"), Spread(2, 1, 1), VLLM)
    assert group.overhead > large.overhead
    assert large.usable == int(0.9 * 81559 * 2**20)


def test_adapters_take_slots_of_the_largest_rank_up_to_a_batch() -> None:
    llama, h100, one = shape("Llama-3.1-8B-Instruct"), device("H100-SXM"), Spread(1, 1, 1)
    plain, two, ten, twenty = (
        memory_need(llama, h100, one, VLLM, count).overhead for count in (0, 2, 10, 20)
    )
    # Rank 64 of an 8B model: 4096 in and out of attention, 14336 wide, 32 layers, 16 bits.
    slot = 64 * 2 * 32 * (3 * 4096 + 4096 + 4096 + 2 * 1024 + 4096 + 2 * 4096 + 14336 + 2 * 14336 + 4096)
    assert two - plain == 2 * slot
    assert ten - plain == twenty - plain == 8 * slot


def test_a_pipeline_divides_layers() -> None:
    whole = memory_need(shape("Qwen3-32B"), device("H100-SXM"), Spread(2, 1, 1), VLLM)
    halves = memory_need(shape("Qwen3-32B"), device("H100-SXM"), Spread(2, 2, 2), VLLM)
    assert halves.kv_per_token == whole.kv_per_token // 2
    assert halves.weights == pytest.approx(whole.weights / 2, abs=1)


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("whisper")])
def test_no_option_of_any_accelerator_promises_more_memory_than_there_is(name: str) -> None:
    """Weights, one whole request and a gibibyte for the engine lie within nine tenths of the devices."""
    found = shape(name)
    context = min(32768, found.context_length or 32768)
    demand = Demand((), Traffic(1000, 200).within(context), stated=False)
    asked = Asked(found, EngineName.VLLM, context, None, demand)
    for option in options(Hardware(), asked, EVERY_ACCELERATOR, EVERY_ACCELERATOR.names):
        if not isinstance(option, Option):
            continue
        devices, spread = option.spread.devices, option.spread
        cache = spread.devices * context * found.full_layers * layer_cache_bytes(found, spread.tensor)
        needed = found.weights_bytes + cache / spread.pipeline + devices * GIBIBYTE
        assert needed <= 0.9 * option.device.memory_bytes * devices, (option.device.name, spread)


def test_what_does_not_fit_has_no_room() -> None:
    need = memory_need(shape("Llama-3.3-70B-Instruct"), device("L4"), Spread(1, 1, 1), VLLM)
    assert need.room < 0
    assert need.cache_tokens(1) == 0

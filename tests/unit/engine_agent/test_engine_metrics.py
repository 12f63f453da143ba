"""Engines' own pages, by engine and version, in the one set of names."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.catalog import shipped_catalog
from pointsman.catalog.metric_report import Presence
from pointsman.engine_agent.asking import running_requests
from pointsman.engine_agent.engine_metrics import PREFIX, Readings, read, report
from tests.support.engine_metrics import EngineMetrics
from tests.support.engines.pages import sglang_page, vllm_page

ENGINES = shipped_catalog().engines

# As the server inside xllamacpp 2026.10.11549 says it, after two answers and with one running.
LLAMA = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 42
# HELP llamacpp:tokens_predicted_total Number of generation tokens processed.
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 17
# HELP llamacpp:n_decode_total Total number of llama_decode() calls
# TYPE llamacpp:n_decode_total counter
llamacpp:n_decode_total 19
# HELP llamacpp:requests_processing Number of requests processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 1
# HELP llamacpp:requests_deferred Number of requests deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 2
"""


def busy() -> EngineMetrics:
    metrics = EngineMetrics("m", running=3, waiting=2, kv_cache_usage=0.5, prompt_tokens=7, steps=11)
    metrics.ttft.observe(0.03)
    metrics.itl.observe(0.02)
    return metrics


def vllm(version: str) -> Readings:
    order = tuple(int(part) for part in version.split("."))
    return read(vllm_page(busy(), order), ENGINES["vllm"], version)


@pytest.mark.parametrize("version", ["0.33.0", "0.12.0", "0.11.2", "0.10.2", "0.9.2", "0.8.5"])
def test_every_version_of_vllm_says_the_same_by_names_of_its_own(version: str) -> None:
    said = vllm(version)
    want = {"requests_running": 3, "requests_waiting": 2, "cache_usage_ratio": 0.5, "prompt_tokens_total": 7}
    assert {name: said.values.get(name) for name in want} == want
    shown = {family.name for family in said.families}
    assert {PREFIX + "first_token_seconds", PREFIX + "inter_token_seconds"} <= shown


def test_sglang_says_the_same() -> None:
    said = read(sglang_page(busy(), (0, 5, 23)), ENGINES["sglang"], "0.5.23")
    assert (said.values["requests_running"], said.values["requests_waiting"]) == (3, 2)
    assert said.values["cache_usage_ratio"] == 0.5


def test_llama_cpp_says_the_same() -> None:
    said = read(LLAMA, ENGINES["llama.cpp"], None)
    assert said.values["steps_total"] == 19
    assert running_requests(said) == 3


def test_what_the_engine_does_not_say_is_missing_and_no_zero() -> None:
    page = vllm_page(busy(), (0, 33, 0), missing=("vllm:num_requests_running",))
    said = read(page, ENGINES["vllm"], "0.33.0")
    assert "requests_running" in said.missing
    assert "requests_running" not in said.values
    assert running_requests(said) is None
    assert running_requests(None) is None


def test_parts_of_an_engine_are_summed() -> None:
    page = 'vllm:num_requests_running{engine="0"} 2\nvllm:num_requests_running{engine="1"} 3\n'
    assert read(page, ENGINES["vllm"], None).values["requests_running"] == 5


def test_the_report_names_what_the_version_calls_it() -> None:
    page = vllm_page(busy(), (0, 33, 0), missing=("vllm:kv_cache_usage_perc",))
    said = report(read(page, ENGINES["vllm"], "0.33.0"), ENGINES["vllm"], "0.33.0")
    assert said.page_answers
    assert [(one.name, one.engine_name) for one in said.missing] == [
        ("cache_usage_ratio", "vllm:kv_cache_usage_perc")
    ]
    assert {one.name for one in said.metrics} == set(ENGINES["vllm"].metric_names("0.33.0"))


def test_without_a_page_everything_is_missing() -> None:
    said = report(None, ENGINES["vllm"], "0.33.0")
    assert not said.page_answers
    assert len(said.missing) == len(ENGINES["vllm"].metric_names("0.33.0"))


@pytest.mark.parametrize(
    ("tokens", "want"),
    [(1, Presence.UNSEEN), (999, Presence.UNSEEN), (1000, Presence.MISSING)],
    ids=["after the first token", "while little was asked of it", "once it has shown all that it has"],
)
def test_what_an_engine_shows_late_is_missed_only_late(tokens: int, want: Presence) -> None:
    metrics = busy()
    metrics.generation_tokens = tokens
    page = sglang_page(metrics, (0, 5, 23), missing=("sglang:inter_token_latency_seconds",))
    said = report(read(page, ENGINES["sglang"], "0.5.23"), ENGINES["sglang"], "0.5.23")
    assert {one.name for one in said.metrics if one.presence is want} >= {"inter_token_seconds"}


def test_a_page_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="busy"):
        read("<html>busy</html>", ENGINES["vllm"], None)


COUNTS = st.integers(0, 10**9)


@given(COUNTS, COUNTS, st.lists(st.floats(0, 100), max_size=20), st.sampled_from(["vllm", "sglang"]))
def test_nothing_is_lost_on_the_way(running: int, waiting: int, times: list[float], engine: str) -> None:
    metrics = EngineMetrics("m", running=running, waiting=waiting)
    for seconds in times:
        metrics.ttft.observe(seconds)
    pages: dict[str, Callable[[], str]] = {
        "vllm": lambda: vllm_page(metrics, (0, 33, 0)),
        "sglang": lambda: sglang_page(metrics, (0, 5, 23)),
    }
    said = read(pages[engine](), ENGINES[engine], None)
    assert running_requests(said) == running + waiting
    (first,) = (family for family in said.families if family.name == PREFIX + "first_token_seconds")
    buckets = [one.value for one in first.samples if one.name.endswith("_bucket")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == len(times)
    assert set(said.values) | set(said.missing) <= set(ENGINES[engine].metric_names())

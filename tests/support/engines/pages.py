"""The metrics pages of scripted engines, in the names that their versions have.

Names: vllm/v1/metrics/loggers.py of the wheels 0.8.5 to 0.33.0, sglang/srt/metrics of 0.4.10 to 0.5.23.
"""

from __future__ import annotations

from collections.abc import Collection

from tests.support.engine_metrics import EngineMetrics, Histogram

Rows = list[tuple[str, str, float]]


def vllm_page(metrics: EngineMetrics, version: tuple[int, ...], missing: Collection[str] = ()) -> str:
    """What vLLM says of itself."""
    labels = f'engine="0",model_name="{metrics.model_name}"'
    rows: Rows = [
        ("vllm:num_requests_running", "gauge", metrics.running),
        ("vllm:num_requests_waiting", "gauge", metrics.waiting),
        (
            "vllm:kv_cache_usage_perc" if version >= (0, 10) else "vllm:gpu_cache_usage_perc",
            "gauge",
            metrics.kv_cache_usage,
        ),
        ("vllm:prompt_tokens_total", "counter", metrics.prompt_tokens),
        ("vllm:generation_tokens_total", "counter", metrics.generation_tokens),
        ("vllm:num_preemptions_total", "counter", 0),
    ]
    if version >= (0, 12):
        rows += [
            ("vllm:prefix_cache_hits_total", "counter", 0),
            ("vllm:prefix_cache_queries_total", "counter", 0),
        ]
    between = (
        "vllm:inter_token_latency_seconds" if version >= (0, 11) else "vllm:time_per_output_token_seconds"
    )
    lines = _rows(rows, labels)
    lines.append("# TYPE vllm:request_success_total counter")
    for reason, count in (("stop", metrics.succeeded), ("length", 0), ("abort", metrics.aborted)):
        lines.append(f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {count}')
    lines += _histogram(metrics.ttft, "vllm:time_to_first_token_seconds", labels)
    lines += _histogram(metrics.itl, between, labels)
    lines += _histogram(metrics.e2e, "vllm:e2e_request_latency_seconds", labels)
    lines += _histogram(metrics.queue, "vllm:request_queue_time_seconds", labels)
    lines += [
        "# TYPE vllm:iteration_tokens_total histogram",
        f"vllm:iteration_tokens_total_count{{{labels}}} {metrics.steps}",
        f"vllm:iteration_tokens_total_sum{{{labels}}} {metrics.prompt_tokens + metrics.generation_tokens}",
    ]
    return _page(lines, missing)


def sglang_page(metrics: EngineMetrics, version: tuple[int, ...], missing: Collection[str] = ()) -> str:
    """What SGLang says of itself, where it was started with --enable-metrics."""
    labels = f'engine_type="unified",model_name="{metrics.model_name}",pp_rank="0",tp_rank="0"'
    rows: Rows = [
        ("sglang:num_running_reqs", "gauge", metrics.running),
        ("sglang:num_queue_reqs", "gauge", metrics.waiting),
        ("sglang:token_usage", "gauge", metrics.kv_cache_usage),
        ("sglang:cache_hit_rate", "gauge", 0),
        ("sglang:gen_throughput", "gauge", 0),
        ("sglang:prompt_tokens_total", "counter", metrics.prompt_tokens),
        ("sglang:generation_tokens_total", "counter", metrics.generation_tokens),
        ("sglang:num_requests_total", "counter", metrics.succeeded),
        ("sglang:num_aborted_requests_total", "counter", metrics.aborted),
    ]
    earlier = "sglang:time_per_output_token_seconds"
    lines = _rows(rows, labels)
    lines += _histogram(metrics.ttft, "sglang:time_to_first_token_seconds", labels)
    between = "sglang:inter_token_latency_seconds" if version >= (0, 5) else earlier
    lines += _histogram(metrics.itl, between, labels)
    lines += _histogram(metrics.e2e, "sglang:e2e_request_latency_seconds", labels)
    lines += _histogram(metrics.queue, "sglang:queue_time_seconds", labels)
    return _page(lines, missing)


def _rows(rows: Rows, labels: str) -> list[str]:
    lines = []
    for name, kind, value in rows:
        lines += [f"# TYPE {name} {kind}", f"{name}{{{labels}}} {value}"]
    return lines


def _histogram(histogram: Histogram, name: str, labels: str) -> list[str]:
    return [line.replace(histogram.name, name) for line in histogram.lines(labels)]


def _page(lines: list[str], missing: Collection[str]) -> str:
    kept = [line for line in lines if not any(name in line for name in missing)]
    return "\n".join(kept) + "\n"


def tei_page(metrics: EngineMetrics, missing: Collection[str] = ()) -> str:
    """What Text Embeddings Inference says of itself."""
    rows: Rows = [
        ("te_queue_size", "gauge", metrics.waiting),
        ("te_request_count", "counter", metrics.succeeded + metrics.aborted),
        ("te_request_success", "counter", metrics.succeeded),
        ("te_request_failure", "counter", metrics.aborted),
    ]
    labels = 'method="batch"'
    lines = _rows(rows, labels)
    lines += _histogram(metrics.e2e, "te_request_duration", labels)
    lines += _histogram(metrics.queue, "te_request_queue_duration", labels)
    return _page(lines, missing)


def triton_page(metrics: EngineMetrics, missing: Collection[str] = ()) -> str:
    """What Triton says of itself."""
    labels = f'model="{metrics.model_name}",version="1"'
    rows: Rows = [
        ("nv_inference_request_success", "counter", metrics.succeeded),
        ("nv_inference_request_failure", "counter", metrics.aborted),
        ("nv_inference_pending_request_count", "gauge", metrics.waiting),
        ("nv_inference_queue_duration_us", "counter", 0),
    ]
    return _page(_rows(rows, labels), missing)

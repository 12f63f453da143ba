"""The `/metrics` page of a vLLM 0.33 engine, in the names that scaling and canary analysis read.

Names and labels are vLLM's (`vllm:` prefix, labels `engine` and `model_name`). Waiting requests and cache
use are set by the test; the rest follows what the stand-in answered.
"""

from __future__ import annotations

from dataclasses import dataclass, field

_TTFT_EDGES_SECONDS = (
    *(0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    *(20.0, 40.0, 80.0, 160.0, 640.0, 2560.0),
)
_ITL_EDGES_SECONDS = (
    *(0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
    *(5.0, 7.5, 10.0, 20.0, 40.0, 80.0),
)
_E2E_EDGES_SECONDS = (
    *(0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0),
    *(120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0),
)


@dataclass
class Histogram:
    """A Prometheus histogram: cumulative counts are made when it is written."""

    name: str
    edges_seconds: tuple[float, ...]
    _counts: list[int] = field(init=False)
    _total: int = 0
    _sum_seconds: float = 0.0

    def __post_init__(self) -> None:
        self._counts = [0] * len(self.edges_seconds)

    def observe(self, seconds: float) -> None:
        self._total += 1
        self._sum_seconds += seconds
        for index, edge in enumerate(self.edges_seconds):
            if seconds <= edge:
                self._counts[index] += 1
                break

    def lines(self, labels: str) -> list[str]:
        """The exposition text, in Prometheus' format 0.0.4."""
        out = [f"# TYPE {self.name} histogram"]
        running = 0
        for edge, count in zip(self.edges_seconds, self._counts, strict=True):
            running += count
            out.append(f'{self.name}_bucket{{{labels},le="{edge}"}} {running}')
        out.append(f'{self.name}_bucket{{{labels},le="+Inf"}} {self._total}')
        out.append(f"{self.name}_sum{{{labels}}} {self._sum_seconds}")
        out.append(f"{self.name}_count{{{labels}}} {self._total}")
        return out


@dataclass
class EngineMetrics:
    """The counters of one stand-in. Written by the stand-in's event loop alone."""

    model_name: str
    running: int = 0
    waiting: int = 0
    kv_cache_usage: float = 0.0
    prompt_tokens: int = 0
    generation_tokens: int = 0
    succeeded: int = 0
    aborted: int = 0
    ttft: Histogram = field(
        default_factory=lambda: Histogram("vllm:time_to_first_token_seconds", _TTFT_EDGES_SECONDS)
    )
    itl: Histogram = field(
        default_factory=lambda: Histogram("vllm:inter_token_latency_seconds", _ITL_EDGES_SECONDS)
    )
    steps: int = 0
    """Steps of the engine's loop: they stand still in an engine that hangs."""
    queue: Histogram = field(
        default_factory=lambda: Histogram("vllm:request_queue_time_seconds", _E2E_EDGES_SECONDS)
    )
    e2e: Histogram = field(
        default_factory=lambda: Histogram("vllm:e2e_request_latency_seconds", _E2E_EDGES_SECONDS)
    )

    def text(self) -> str:
        """The whole page."""
        labels = f'engine="0",model_name="{self.model_name}"'
        gauges = (
            ("vllm:num_requests_running", self.running),
            ("vllm:num_requests_waiting", self.waiting),
            ("vllm:kv_cache_usage_perc", self.kv_cache_usage),
        )
        counters = (
            ("vllm:prompt_tokens_total", self.prompt_tokens),
            ("vllm:generation_tokens_total", self.generation_tokens),
            ("vllm:num_preemptions_total", 0),
        )
        out: list[str] = []
        for name, value in gauges:
            out += [f"# TYPE {name} gauge", f"{name}{{{labels}}} {value}"]
        for name, count in counters:
            out += [f"# TYPE {name} counter", f"{name}{{{labels}}} {count}"]
        out.append("# TYPE vllm:request_success_total counter")
        for reason, count in (("stop", self.succeeded), ("length", 0), ("abort", self.aborted)):
            out.append(f'vllm:request_success_total{{{labels},finished_reason="{reason}"}} {count}')
        out.append("# TYPE vllm:cache_config_info gauge")
        out.append('vllm:cache_config_info{block_size="16",engine="0",num_gpu_blocks="2048"} 1.0')
        for histogram in (self.ttft, self.itl, self.e2e):
            out += histogram.lines(labels)
        return "\n".join(out) + "\n"

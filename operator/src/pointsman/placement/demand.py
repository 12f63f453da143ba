"""What replicas must reach and for which requests: quantiles of latency, and how large they are."""

from dataclasses import dataclass, replace

from pointsman.api import ModelDeployment, Task
from pointsman.api.scaling import Objectives, Quantiles

# Bounds where a deployment states none: people wait two seconds for a beginning (MLPerf's server scenario for
# chat asks the same), and 100 ms a token is twice as fast as people read.
DEFAULT_TTFT_SECONDS = 2.0
DEFAULT_ITL_SECONDS = 0.1
DEFAULT_QUANTILE = 0.95

_QUANTILES = (("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99))

_ONE_PASS = {Task.EMBEDDING, Task.RERANK}


@dataclass(frozen=True, slots=True)
class Traffic:
    """The usual request: tokens of the prompt, tokens of the answer (0: the prompt is all the work)."""

    input_tokens: int
    output_tokens: int

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    @property
    def held_tokens(self) -> int:
        """Tokens that the cache holds for a running request, on the mean over its answer."""
        return self.input_tokens + -(-self.output_tokens // 2)

    def within(self, context_length: int) -> "Traffic":
        """The same proportions, small enough for a context."""
        if self.total_tokens <= context_length:
            return self
        output = self.output_tokens * context_length // self.total_tokens
        if self.output_tokens:
            output = max(1, output)
        return Traffic(max(1, context_length - output), output)

    def __str__(self) -> str:
        if not self.output_tokens:
            return f"{self.input_tokens:,} tokens"
        return f"{self.input_tokens:,} tokens in and {self.output_tokens:,} out"


# Mean request of an hour of conversations: AzurePublicDataset, AzureLLMInferenceTrace_conv, 2023 (CC-BY-4.0).
CONVERSATION = Traffic(1155, 211)
# A passage of the usual length for search; from memory.
PASSAGE = Traffic(512, 0)
# Half a minute of sound is 1,500 positions for Whisper, and about 150 words.
RECORDING = Traffic(1500, 200)


@dataclass(frozen=True, slots=True)
class Bound:
    """`ttft p95 ≤ 0.8 s`: a quantile in (0, 1) of time to first token or of time between tokens."""

    metric: str
    quantile: float
    seconds: float

    @property
    def name(self) -> str:
        return f"{self.metric} p{round(self.quantile * 100)}"


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked; `stated` tells the deployment's own bounds from the defaults."""

    bounds: tuple[Bound, ...]
    traffic: Traffic
    stated: bool

    @property
    def tail(self) -> float:
        """The highest quantile that is bounded."""
        return max((bound.quantile for bound in self.bounds), default=DEFAULT_QUANTILE)

    def within(self, context_length: int) -> "Demand":
        """The same for requests that the context holds; a recording lies outside of its decoder's."""
        if self.traffic == RECORDING:
            return self
        return replace(self, traffic=self.traffic.within(context_length))


def demand_of(deployment: ModelDeployment, traffic: Traffic | None) -> Demand:
    """The deployment's objectives, or the defaults; `traffic` where the usual request is known."""
    tasks = set(deployment.spec.tasks)
    one_pass = tasks <= _ONE_PASS
    if traffic is None:
        traffic = PASSAGE if one_pass else RECORDING if Task.TRANSCRIPTION in tasks else CONVERSATION
    scaling = deployment.spec.scaling
    objectives = scaling.objectives if scaling is not None else None
    bounds = _bounds(objectives)
    if bounds:
        return Demand(bounds, traffic, stated=True)
    default = [Bound("ttft", DEFAULT_QUANTILE, DEFAULT_TTFT_SECONDS)]
    if traffic.output_tokens:
        default.append(Bound("itl", DEFAULT_QUANTILE, DEFAULT_ITL_SECONDS))
    return Demand(tuple(default), traffic, stated=False)


def _bounds(objectives: Objectives | None) -> tuple[Bound, ...]:
    if objectives is None:
        return ()
    return tuple(_of("ttft", objectives.ttft) + _of("itl", objectives.itl))


def _of(metric: str, quantiles: Quantiles | None) -> list[Bound]:
    found = []
    for attribute, quantile in _QUANTILES if quantiles is not None else ():
        limit = getattr(quantiles, attribute)
        if limit is not None:
            found.append(Bound(metric, quantile, limit.seconds))
    return found

"""What requests meet once they run: steps of an engine whose law is known, or single passes. Pure."""

from pointsman.placement.demand import Bound, Demand, Traffic
from pointsman.placement.stage import Stage, Variation, deviations, log_tail, mean_below
from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.capacity.station import Arriving, Point
from pointsman_autoscaler.capacity.workload import Workload

# Stages of a pipeline wait for each other: the share that is left; from memory, as placement has it.
_PIPELINE_USE = 0.9
# Passes that are worked on together, as placement has it.
PASSES_TOGETHER = 8
_MEDIAN = 0.5


def traffic(workload: Workload) -> Traffic:
    """The mean request, in whole tokens."""
    output = round(workload.output_tokens)
    if workload.output_tokens > 0:
        output = max(1, output)
    return Traffic(max(1, round(workload.input_tokens)), output)


def held_tokens(workload: Workload) -> float:
    """Tokens of cache that a running request holds; whoever looks sees more of the long answers."""
    return workload.input_tokens + workload.output_tokens * (1 + workload.output_cv**2) / 2


class Steps:
    """An engine that works in steps, all running requests together, in each of `stages` of a pipeline."""

    def __init__(self, law: StepTime, stages: int, workload: Workload, bounds: tuple[Bound, ...]) -> None:
        usual = traffic(workload)
        prompts = workload.input_cv**2
        variation = Variation(prompts, prompts, workload.output_cv**2, workload.prefix_hit)
        self.bounds = bounds
        self._stage = Stage(law, Demand(bounds, usual, stated=True), variation)
        self._stages = stages
        self._answer = usual.output_tokens
        self._factor = stages * _PIPELINE_USE if stages > 1 else 1.0

    def rate(self, requests: float) -> float:
        mean, own = self._stage.worked_on(requests / self._stages)
        return self._factor * requests / self._stages / (own + self._answer * mean)

    def point(self, requests: float, arriving: Arriving) -> Point:
        of_stage = requests / self._stages
        times = self._stage.times(of_stage)
        seconds = times[1] + self._answer * times[0]
        arrivals = arriving.at(self._factor * of_stage / seconds)
        return Point(arrivals, seconds, self._stage.latencies(of_stage, arrivals, times))


def cache_limit(workload: Workload, cache_tokens: float, bounds: tuple[Bound, ...], slots: float) -> float:
    """The mean number of running requests at which their crowd fits into the cache at the worst quantile."""
    if not cache_tokens:
        return float(slots)
    tail = deviations(max((bound.quantile for bound in bounds), default=_MEDIAN))
    return mean_below(max(cache_tokens / held_tokens(workload), 0.05), tail)


class Passes:
    """Prompts without answers: all the work is one pass, several of them together."""

    def __init__(self, law: StepTime, stages: int, workload: Workload, bounds: tuple[Bound, ...]) -> None:
        prompt = workload.input_tokens
        self._together = law.seconds(prompt * PASSES_TOGETHER, PASSES_TOGETHER, 0)
        self._together += PASSES_TOGETHER * law.per_pair * prompt * prompt / 2
        self._own = self._together / PASSES_TOGETHER / (stages * _PIPELINE_USE if stages > 1 else 1)
        self.bounds = tuple(bound for bound in bounds if bound.metric == "ttft")
        self._variation = workload.input_cv**2

    def rate(self, requests: float) -> float:
        return requests / PASSES_TOGETHER / self._own

    def point(self, requests: float, arriving: Arriving) -> Point:
        busy = min(requests / PASSES_TOGETHER, 0.999)
        arrivals = arriving.at(busy / self._own)
        scale = self._own * (arrivals + self._variation) / 2 / (1 - busy)
        tails = []
        for bound in self.bounds:
            rare = 1 - bound.quantile
            waiting = scale * (log_tail(busy, rare) if bound.quantile > _MEDIAN else busy)
            tails.append(self._together + waiting)
        # Who waits, waits here: for slots nobody does.
        return Point(arrivals, 0.0, tails)

"""What asks for replicas, and what one replica can do of it. Pure."""

from dataclasses import dataclass

from pointsman.placement.demand import Bound


@dataclass(frozen=True, slots=True)
class Workload:
    """Requests of one model, all its replicas together; tokens are means of one request.

    `…_cv` are coefficients of variation (1: as at random); `prefix_hit` is the share of a prompt's tokens,
    0 to 1, that caches hold already. An answer of 0 tokens means that the prompt is all the work.
    """

    requests_per_second: float
    input_tokens: float
    output_tokens: float
    interarrival_cv: float = 1.0
    input_cv: float = 1.0
    output_cv: float = 1.0
    prefix_hit: float = 0.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """The largest load of one replica that keeps the bounds."""

    requests_per_second: float
    binding: str
    """What keeps it from more: a bound's name (`ttft p95`), `slots` or `cache`."""
    predicted: tuple[tuple[Bound, float], ...]
    """Each bound with the latency in seconds that is expected at this load."""
    reachable: bool = True
    """False: not even one running request keeps the bounds; the numbers are those of one."""
    saturation_per_second: float = 0.0
    """Where queues no longer end, whatever the bounds: the most that one replica can work off."""

"""What the law learns from: a window, or a load that is asked about, as the mean step of it. Pure."""

from pointsman_autoscaler.capacity.law import Look
from pointsman_autoscaler.capacity.services import held_tokens
from pointsman_autoscaler.capacity.windows import Window
from pointsman_autoscaler.capacity.workload import Workload
from pointsman_autoscaler.view import Flavour

# Below this the number that scrapes saw running is chance, and nothing is divided by it.
_SEEN_RUNNING = 0.5
# More than the slots can hold is no load but a total that was read wrong.
_IMPOSSIBLE = 1.2


def look_of(window: Window, flavour: Flavour, usual: Workload) -> Look | None:
    """None where the window does not say enough. `usual` fills in what no engine tells: hits of prefixes.

    How many ran is taken from tokens and the time between them (Little's law), which count all of the window;
    what scrapes see is a handful of moments, and is good for how much cache one of them holds.
    """
    seconds, tokens = window.itl_seconds, window.output_tokens
    if seconds is None or not seconds > 0 or window.prompt_tokens is None:
        return None
    if tokens:
        running = tokens / window.seconds * seconds
        if running > _IMPOSSIBLE * flavour.slots:
            return None
    elif window.running:
        running = window.running
    else:
        return None
    prompts = window.prompt_tokens / window.seconds
    length = _prompt_length(window) or usual.input_tokens
    held = _held_by_one(window, flavour, length, usual)
    if held is None:
        return None
    worked_on = 1.0 - usual.prefix_hit
    stages = flavour.stages
    return Look(
        running=running / stages,
        prompt_tokens=prompts * worked_on * seconds / stages,
        cached_tokens=running * held / stages,
        prompt_length=length * worked_on,
        attended=length * (1.0 + usual.prefix_hit) / 2 * (1.0 + usual.input_cv**2),
        seconds=seconds,
        tokens=tokens or running * window.seconds / seconds,
    )


def usual_look(running: float, workload: Workload, stages: int) -> Look:
    """The mean step while so many requests of the workload run; its time is not known."""
    worked_on = workload.input_tokens * (1.0 - workload.prefix_hit)
    of_stage = running / stages
    return Look(
        running=of_stage,
        prompt_tokens=of_stage / workload.output_tokens * worked_on if workload.output_tokens else worked_on,
        cached_tokens=of_stage * held_tokens(workload),
        prompt_length=worked_on,
        attended=workload.input_tokens * (1.0 + workload.prefix_hit) / 2 * (1.0 + workload.input_cv**2),
        seconds=1.0,
        tokens=0.0,
    )


def _prompt_length(window: Window) -> float | None:
    return window.prompt_tokens / window.arrived if window.prompt_tokens and window.arrived else None


def _held_by_one(window: Window, flavour: Flavour, prompt: float, usual: Workload) -> float | None:
    """Tokens of cache that a running request holds on the mean."""
    usage, seen = window.cache_usage, window.running
    if usage is not None and flavour.cache_tokens and seen is not None and seen >= _SEEN_RUNNING:
        return usage * flavour.cache_tokens / seen
    if prompt and window.output_tokens and window.requests:
        return prompt + window.output_tokens / window.requests / 2
    return held_tokens(usual) if usual.input_tokens else None

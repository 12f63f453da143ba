"""Many steps at once come to the same as one step after another."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.simulator.engine import Engine, Limits
from pointsman_autoscaler.simulator.gaps import ITL_BUCKETS, Judged
from pointsman_autoscaler.simulator.job import Job
from tests.support.step_by_step import Request, StepByStep

_LIMITS = (0.02, 0.031)


@st.composite
def workloads(draw: st.DrawFn) -> tuple[Limits, list[Request], np.random.Generator]:
    """A few requests for a small engine: times come from a generator, so that none falls on a step's end."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    slots = draw(st.sampled_from((1, 4, 16)))
    chunk = slots + draw(st.integers(1, 60))
    longest = draw(st.sampled_from((2, 8, 80)))
    count = draw(st.integers(1, 30))
    prompts = random.integers(1, longest + 1, count)
    answers = random.integers(1, draw(st.integers(1, 60)) + 1, count)
    cache = int((prompts + answers).max()) + draw(st.sampled_from((0, 3, 20, 100)))
    at = np.sort(random.uniform(0, draw(st.sampled_from((1e-6, 0.2, 3.0))), count))
    mixture = draw(st.booleans())
    law = StepTime(
        fixed=random.uniform(0.005, 0.02),
        per_token=random.uniform(1e-5, 1e-3),
        per_sequence=random.uniform(0, 1e-3),
        per_cached_token=draw(st.sampled_from((0.0, 1e-7, 3.1e-5, 2.3e-4))),
        per_pair=random.uniform(0, 1e-5),
        experts=random.uniform(0.001, 0.01) if mixture else 0.0,
        missed=random.uniform(0.5, 0.99) if mixture else 1.0,
    )
    requests = [
        Request(arrives, prompt, answer)
        for arrives, prompt, answer in zip(at.tolist(), prompts.tolist(), answers.tolist(), strict=True)
    ]
    return Limits(law, slots, cache, chunk), requests, random


def _played(limits: Limits, requests: list[Request], looks: list[float]) -> tuple[Engine, list[Job], Judged]:
    """The same requests in the simulator's engine, which is looked at now and then."""
    judged = Judged(_LIMITS)
    engine = Engine(limits, judged)
    jobs = [Job(index, each.arrives, each.prompt, each.answer) for index, each in enumerate(requests)]
    events = sorted(
        [(job.arrived, 0, job) for job in jobs] + [(at, 1, None) for at in looks], key=lambda e: e[:2]
    )
    for at, _, job in events:
        while engine.ends < at:
            engine.advance(engine.ends)
        if job is None:
            engine.count(at)
        else:
            engine.submit(at, job)
    while engine.ends < float("inf"):
        engine.advance(engine.ends)
    return engine, jobs, judged


@settings(max_examples=150, deadline=None)
@given(workloads())
def test_sums_of_steps_equal_steps(workload: tuple[Limits, list[Request], np.random.Generator]) -> None:
    limits, requests, random = workload
    looks = random.uniform(0, 5, 10).tolist()
    engine, jobs, judged = _played(limits, requests, looks)
    slow = StepByStep(limits.law, limits.slots, limits.cache_tokens, limits.chunk_tokens, requests)
    slow.run()

    assert engine.preemptions == slow.preemptions
    assert sorted(job.index for job in engine.ended) == list(range(len(requests)))
    for job, request in zip(jobs, requests, strict=True):
        assert job.first == pytest.approx(request.times[0], rel=1e-9)
        assert job.ended == pytest.approx(request.times[-1], rel=1e-9)
    gaps = [gap for request in requests for gap in request.gaps]
    assert engine.output_tokens == sum(request.answer for request in requests)
    assert engine.prompt_tokens == sum(request.prompt for request in requests)
    assert engine.itl.seconds == pytest.approx(sum(gaps), abs=1e-9)
    edges = (0.0, *ITL_BUCKETS)
    wanted = [sum(low < gap <= high for gap in gaps) for low, high in pairwise(edges)]
    assert engine.itl.counts == wanted
    assert (judged.count, judged.over) == (len(gaps), [sum(gap > limit for gap in gaps) for limit in _LIMITS])
    assert (engine.running, engine.waiting, engine.cache_usage) == (0, 0, 0.0)

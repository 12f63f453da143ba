"""One replica's engine: what the law says comes out, and what happens where the cache or the slots end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.simulator.engine import Engine, Limits
from pointsman_autoscaler.simulator.gaps import ITL_BUCKETS, Judged
from pointsman_autoscaler.simulator.job import Job
from tests.support.simulated import LAW

_MIXTURE = replace(LAW, per_pair=1e-9, experts=0.004, missed=0.9)


def _engine(
    law: StepTime = LAW, *, slots: int = 8, cache: int = 10_000, chunk: int = 2048, patience: float = 1e9
) -> Engine:
    return Engine(Limits(law, slots, cache, chunk), Judged((0.06,)), patience_seconds=patience)


def _play(engine: Engine) -> None:
    while engine.ends < float("inf"):
        engine.advance(engine.ends)


@pytest.mark.parametrize("law", [LAW, _MIXTURE], ids=["dense", "mixture"])
def test_a_single_request_takes_what_the_law_says(law: StepTime) -> None:
    engine, job = _engine(law), Job(0, 5.0, 1000, 101)
    engine.submit(5.0, job)
    _play(engine)
    prompt = law.seconds(1000, 0, 0) + law.per_pair * 1000 * 1000 / 2
    steps = [law.seconds(1, 1, 1000 + done) for done in range(100)]
    assert job.first - 5.0 == pytest.approx(prompt)
    assert job.ended - job.first == pytest.approx(sum(steps))
    assert job.mean_gap == pytest.approx(sum(steps) / 100)
    assert engine.ttft.seconds == pytest.approx(prompt)
    assert (engine.prompt_tokens, engine.output_tokens, engine.requests) == (1000, 101, 1)


def test_a_long_prompt_is_taken_in_by_chunks_that_look_back() -> None:
    engine, job = _engine(_MIXTURE), Job(0, 0.0, 5000, 1)
    engine.submit(0.0, job)
    _play(engine)
    chunks = [_MIXTURE.seconds(tokens, 0, 0) for tokens in (2048, 2048, 904)]
    assert job.first == pytest.approx(sum(chunks) + _MIXTURE.per_pair * 5000 * 5000 / 2)
    assert (job.ended, job.mean_gap) == (job.first, 0.0)


def test_a_request_that_arrives_within_a_step_waits_for_its_end() -> None:
    engine, early, late = _engine(), Job(0, 0.0, 100, 50), Job(1, 0.1, 300, 2)
    engine.submit(0.0, early)
    while engine.ends < 0.1:
        engine.advance(engine.ends)
    engine.submit(0.1, late)
    ends, passed = early.first, 0
    while ends < 0.1:
        ends += LAW.seconds(1, 1, 100 + passed)
        passed += 1
    assert engine.ends == pytest.approx(ends)
    _play(engine)
    assert late.first == pytest.approx(ends + LAW.seconds(301, 1, 100 + passed))


def test_looking_in_between_shows_the_tokens_so_far_and_changes_nothing() -> None:
    engine, job = _engine(), Job(0, 0.0, 100, 1000)
    engine.submit(0.0, job)
    engine.advance(engine.ends)
    ends = engine.ends
    at, passed = job.first, 0
    while at + LAW.seconds(1, 1, 100 + passed) <= 5.0:
        at += LAW.seconds(1, 1, 100 + passed)
        passed += 1
    engine.count(5.0)
    engine.count(5.0)
    assert engine.output_tokens == 1 + passed
    assert engine.itl.histogram().count == passed
    assert engine.cache_usage == pytest.approx((100 + passed) / 10_000)
    assert (engine.running, engine.waiting, engine.ends) == (1, 0, ends)


def test_the_youngest_gives_way_where_the_cache_is_full_and_loses_nothing_but_time() -> None:
    engine, old, young = _engine(cache=400), Job(0, 0.0, 100, 200), Job(1, 0.0, 100, 200)
    engine.submit(0.0, old)
    engine.submit(0.0, young)
    _play(engine)
    assert engine.preemptions == 1
    assert old.ended < young.ended
    # It has its first token, waits until the old one ends, and takes in its prompt and answer anew.
    assert young.first < old.ended
    assert engine.output_tokens == 400
    assert engine.prompt_tokens == 200
    longest = engine.itl.counts[max(index for index, count in enumerate(engine.itl.counts) if count)]
    assert longest == 1
    assert engine.cache_usage == 0.0


def test_slots_and_cache_keep_the_order_of_arrival() -> None:
    engine = _engine(slots=2, cache=1000)
    jobs = [Job(index, 0.0, prompt, 20) for index, prompt in enumerate((400, 400, 300, 10))]
    for job in jobs:
        engine.submit(0.0, job)
    engine.advance(engine.ends)
    assert (engine.running, engine.waiting) == (2, 2)
    _play(engine)
    firsts = [job.first for job in jobs]
    assert firsts == sorted(firsts)
    assert jobs[2].first > jobs[0].ended


def test_a_request_that_no_cache_holds_is_told_apart() -> None:
    engine = _engine(cache=400)
    assert [engine.fits(Job(0, 0.0, prompt, 100)) for prompt in (300, 301)] == [True, False]


def test_clients_leave_the_queue_when_their_patience_ends() -> None:
    engine = _engine(slots=1, patience=1.0)
    jobs = [Job(index, 0.0, 100, answer) for index, answer in enumerate((200, 5, 5))]
    late = Job(3, 3.0, 100, 5)
    for job in jobs:
        engine.submit(0.0, job)
    engine.submit(3.0, late)
    _play(engine)
    assert [job.index for job in engine.abandoned] == [1, 2]
    assert [job.index for job in engine.ended] == [0, 3]


def test_what_is_withdrawn_tells_answers_from_those_that_had_none() -> None:
    engine = _engine(slots=1)
    jobs = [Job(0, 0.0, 100, 50), Job(1, 0.0, 100, 50)]
    for job in jobs:
        engine.submit(0.0, job)
    engine.advance(engine.ends)
    assert engine.withdraw() == ([jobs[1]], [jobs[0]])
    assert (engine.running, engine.waiting, engine.ends) == (0, 0, float("inf"))


def test_gaps_are_counted_in_the_buckets_that_engines_export() -> None:
    # 14 ms and more: a cache that grows lifts the steps over 25 ms, and over a bound of 20 ms.
    law = StepTime(fixed=0.014, per_token=0.0, per_sequence=0.0, per_cached_token=1e-4)
    judged = Judged((0.02,))
    engine = Engine(Limits(law, 1, 1000, 512), judged)
    engine.submit(0.0, Job(0, 0.0, 10, 201))
    _play(engine)
    gaps = [law.seconds(1, 1, 10 + done) for done in range(200)]
    wanted = [sum(gap <= bound for gap in gaps) for bound in ITL_BUCKETS]
    assert engine.itl.histogram().counts == tuple(wanted)
    assert (judged.count, judged.over) == (200, [sum(gap > 0.02 for gap in gaps)])

"""Several simulations at once, a process each, as many as there are processors."""

import multiprocessing
import os
import signal
import threading
from collections.abc import MutableSequence, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import replace
from typing import Any

from pointsman_autoscaler.simulator.contenders import Contender, build
from pointsman_autoscaler.simulator.oracle import Mix, foresee, least_dollars
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.run import Shares, simulate
from pointsman_autoscaler.simulator.scenario import Scenario

_LOOK_SECONDS = 0.2


def side_by_side(
    scenario: Scenario,
    contenders: Sequence[Contender],
    seeds: Sequence[int],
    progress: Shares | None = None,
    mixes: Sequence[Mix] = (),
) -> tuple[tuple[Result, ...], float | None]:
    """Each contender with each seed, in this order; and the least that the load costs, None where not even
    all replicas serve it. `progress` is told the share of all of this that is done.
    """
    jobs = [(contender, seed) for contender in contenders for seed in seeds]
    context = multiprocessing.get_context("fork")
    # Of each job, and of the least that the load costs: it takes as long where answers are short.
    done = context.Array("d", len(jobs) + 1, lock=False)
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        max_workers=min(len(jobs) + 1, os.cpu_count() or 1),
        mp_context=context,
        initializer=_begin,
        initargs=(scenario, done),
    ) as pool:
        try:
            bound = pool.submit(_least, tuple(mixes))
            futures = [pool.submit(_run, place, *job) for place, job in enumerate(jobs)]
            waiting: set[Future[Any]] = {bound, *futures}
            while waiting:
                waiting = wait(waiting, timeout=_LOOK_SECONDS).not_done
                if progress is not None:
                    progress(sum(done) / len(done))
            return tuple(future.result() for future in futures), bound.result()
        except BaseException:
            # Nobody waits for the others any more: an error, or Ctrl-C.
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise


class _Shared:
    """What a worker was begun with."""

    scenario: Scenario
    done: MutableSequence[float]


def _begin(scenario: Scenario, done: MutableSequence[float]) -> None:
    _Shared.scenario, _Shared.done = scenario, done
    # Ctrl-C is for the one who began this, and whose end is ours.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _run(place: int, contender: Contender, seed: int) -> Result:
    scenario, done = _Shared.scenario, _Shared.done
    span = scenario.arrivals.span_seconds

    def tell(seconds: float) -> None:
        done[place] = seconds / span

    found = simulate(scenario, build(contender, scenario), seed, tell)
    tell(span)
    return replace(found, policy=contender.title)


def _least(mixes: Sequence[Mix]) -> float | None:
    scenario, done = _Shared.scenario, _Shared.done

    def tell(share: float) -> None:
        done[-1] = share

    try:
        return least_dollars(scenario, foresee(scenario, mixes, progress=tell))
    except ValueError:
        return None
    finally:
        tell(1.0)

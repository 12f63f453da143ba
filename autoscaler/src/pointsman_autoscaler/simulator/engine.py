"""One replica's engine, step by step: continuous batching with chunked prompts, a cache that can be full.

A step takes one token for each running answer, and prompts up to a budget of tokens, in the order of their
arrival. Where the cache has no room for the next tokens, the youngest request gives its place back and begins
anew later, with what it had said as part of its prompt. So vLLM schedules since its first version.

Between two events nothing but the cache grows, and that evenly: many steps are one sum. No work is done for a
token. How long a step takes is the flavour's law.
"""

import math
from collections import deque
from heapq import heappop, heappush

from pointsman.placement.steptime import StepTime
from pointsman_autoscaler.simulator.gaps import (
    INFINITY,
    ITL_BUCKETS,
    TTFT_BUCKETS,
    Buckets,
    Judged,
    add_steps,
)
from pointsman_autoscaler.simulator.job import Job

# The share of the cache that new requests leave free, so that they are not the next to give way: vLLM's
# block manager kept so much.
_KEPT_FREE = 0.01

_IDLE, _DECODES, _CHUNK = 0, 1, 2


class Limits:
    """What an engine of a flavour has, and its law with what depends on the batch alone worked out once."""

    __slots__ = ("admitted_tokens", "batch", "cache_tokens", "chunk_tokens", "law", "slots")

    def __init__(self, law: StepTime, slots: int, cache_tokens: int, chunk_tokens: int) -> None:
        self.law = law
        self.slots = slots
        self.cache_tokens = cache_tokens
        self.chunk_tokens = chunk_tokens
        self.admitted_tokens = int(cache_tokens * (1 - _KEPT_FREE))
        self.batch = [law.seconds(running, running, 0.0) for running in range(slots + 1)]
        """Seconds of a step with so many running answers, without reading the cache."""


class Engine:
    """Told of requests and of the passing of time; `ends` is when it wants to be asked next.

    Totals count from its beginning. `ended` and `abandoned` collect requests until the caller takes them.
    """

    __slots__ = (
        "_begun", "_cached", "_duration", "_finishes", "_growth", "_held", "_judged", "_left",
        "_limits", "_order", "_patience", "_prefilling", "_returning", "_running", "_state",
        "_step", "_waiting", "abandoned", "ended", "ends", "gateway_ttft", "itl", "output_tokens",
        "preemptions", "prompt_tokens", "requests", "ttft",
    )  # fmt: skip

    def __init__(
        self,
        limits: Limits,
        judged: Judged,
        gateway_ttft: Buckets | None = None,
        patience_seconds: float = INFINITY,
    ) -> None:
        self._limits = limits
        self._judged = judged
        self._patience = patience_seconds
        self._state = _IDLE
        self._begun = 0.0
        """When the first step that is not yet counted began."""
        self._left = 0
        """Steps of the present run that are not yet counted."""
        self._duration = 0.0
        """Seconds of the first of them."""
        self._growth = 0.0
        """How much longer each next one takes."""
        self._step = 0
        self._cached = 0
        """Tokens in the cache of the running answers."""
        self._held = 0
        """Those, and the prompts that are taken in."""
        self._running: dict[int, Job] = {}
        self._finishes: list[tuple[int, int, Job]] = []
        self._prefilling: deque[Job] = deque()
        self._waiting: deque[Job] = deque()
        self._returning: deque[Job] = deque()
        self._order = 0
        self.ends = INFINITY
        self.ended: list[Job] = []
        self.abandoned: list[Job] = []
        self.ttft = Buckets(TTFT_BUCKETS)
        self.itl = Buckets(ITL_BUCKETS)
        self.gateway_ttft = gateway_ttft
        self.prompt_tokens = 0
        self.output_tokens = 0
        self.requests = 0
        self.preemptions = 0

    @property
    def running(self) -> int:
        return len(self._running) + len(self._prefilling)

    @property
    def waiting(self) -> int:
        return len(self._waiting) + len(self._returning)

    @property
    def cache_usage(self) -> float:
        return self._held / self._limits.cache_tokens

    def fits(self, job: Job) -> bool:
        """Whether the request could run here by itself."""
        return job.prompt + job.answer <= self._limits.cache_tokens

    def submit(self, now: float, job: Job) -> None:
        """Queue a request that fits. `ends` may be earlier afterwards."""
        job.queued = now
        waiting = self._waiting
        waiting.append(job)
        if self._state == _IDLE:
            self._plan(now)
        elif self._state == _DECODES and self._left > 1 and len(waiting) == 1 and not self._returning:
            limits = self._limits
            if len(self._running) < limits.slots and self._held + job.prompt <= limits.admitted_tokens:
                # It is taken in when the present step ends.
                self.count(now)
                if self._left > 1:
                    self._left = 1
                    self.ends = self._begun + self._duration

    def count(self, now: float) -> None:
        """Bring totals up to `now`, which is not after `ends`."""
        if self._state != _DECODES or self._left < 2:
            return
        since = now - self._begun
        duration, growth = self._duration, self._growth
        if since < duration:
            return
        half = duration - growth / 2
        steps = min(int(2 * since / (half + math.sqrt(half * half + 2 * growth * since))), self._left - 1)
        # The root may be rounded over a whole number.
        while steps > 0 and steps * (half + growth * steps / 2) > since:
            steps -= 1
        if steps:
            self._passed(steps)

    def advance(self, now: float) -> None:
        """The time is `ends`: what was under way is done, what comes next is begun."""
        if self._state == _DECODES:
            self._passed(self._left)
        else:
            self._passed_chunk(now)
        finishes = self._finishes
        if finishes and finishes[0][0] <= self._step:
            self._finish(now)
        self._plan(now)

    def withdraw(self) -> tuple[list[Job], list[Job]]:
        """Take away all requests: those that had no token yet, and those that lose an answer."""
        inside = [*self._running.values(), *self._prefilling, *self._returning]
        fresh = [*(job for job in inside if job.first < 0), *self._waiting]
        begun = [job for job in inside if job.first >= 0]
        self._running.clear()
        self._finishes.clear()
        for queue in (self._prefilling, self._returning, self._waiting):
            queue.clear()
        self._state, self._left, self._held, self._cached = _IDLE, 0, 0, 0
        self.ends = INFINITY
        return fresh, begun

    def forget_impatient(self, now: float) -> None:
        """Drop requests whose clients have left; they all have the same patience."""
        latest = now - self._patience
        waiting = self._waiting
        while waiting and waiting[0].arrived < latest:
            self.abandoned.append(waiting.popleft())

    def _passed(self, steps: int) -> None:
        """So many steps of the present run are over."""
        running = len(self._running)
        duration, growth = self._duration, self._growth
        seconds = steps * (duration + growth * (steps - 1) / 2)
        add_steps(self.itl, self._judged, duration, growth, steps, running, seconds)
        tokens = running * steps
        self.output_tokens += tokens
        self._cached += tokens
        self._held += tokens
        self._step += steps
        self._left -= steps
        self._begun += seconds
        self._duration = duration + growth * steps

    def _passed_chunk(self, now: float) -> None:
        """A step with prompts is over: those that are complete have their first token."""
        running = self._running
        if running:
            add_steps(self.itl, self._judged, self._duration, 0.0, 1, len(running), self._duration)
            self.output_tokens += len(running)
            self._cached += len(running)
            self._held += len(running)
        self._step += 1
        prefilling = self._prefilling
        while prefilling and not prefilling[0].todo:
            self._first_token(now, prefilling.popleft())

    def _first_token(self, now: float, job: Job) -> None:
        if job.first < 0:
            job.first = now
            self.ttft.add(now - job.queued)
            if self.gateway_ttft is not None:
                self.gateway_ttft.add(now - job.arrived)
            self.prompt_tokens += job.prompt
        else:
            gap = now - job.last
            add_steps(self.itl, self._judged, gap, 0.0, 1, 1, gap)
        self.output_tokens += 1
        cached = job.prompt + job.generated
        job.generated += 1
        if job.generated == job.answer:
            self._held -= cached
            self._end(now, job)
            return
        job.finish = self._step + job.answer - job.generated
        self._order += 1
        job.order = self._order
        self._cached += cached
        self._running[job.order] = job
        heappush(self._finishes, (job.finish, job.order, job))

    def _finish(self, now: float) -> None:
        """Those whose last token came with the present step."""
        finishes, step = self._finishes, self._step
        while finishes and finishes[0][0] <= step:
            finish, order, job = heappop(finishes)
            if job.finish != finish or job.order != order:
                continue
            del self._running[order]
            cached = job.prompt + job.answer - 1
            self._cached -= cached
            self._held -= cached
            self._end(now, job)

    def _end(self, now: float, job: Job) -> None:
        job.ended = now
        job.generated = job.answer
        job.finish = -1
        self.requests += 1
        self.ended.append(job)

    def _plan(self, now: float) -> None:
        """Begin the next run of steps, or rest."""
        self._begun = now
        limits = self._limits
        running = len(self._running)
        preempting = False
        while running and self._held + running > limits.cache_tokens:
            self._preempt(now)
            running = len(self._running)
            preempting = True
        asking = self._prefilling or self._waiting or self._returning
        if asking and self._begin_chunk(now, admitting=not preempting):
            return
        if not running:
            self._state, self._left, self.ends = _IDLE, 0, INFINITY
            return
        finishes = self._finishes
        while finishes[0][2].finish != finishes[0][0]:
            heappop(finishes)
        steps = min(finishes[0][0] - self._step, (limits.cache_tokens - self._held) // running)
        per_token = limits.law.per_cached_token
        self._state, self._left = _DECODES, steps
        self._duration = duration = limits.batch[running] + per_token * self._cached
        self._growth = growth = per_token * running
        self.ends = now + steps * (duration + growth * (steps - 1) / 2)

    def _preempt(self, now: float) -> None:
        """The youngest gives its place in the cache back."""
        self.preemptions += 1
        if self._prefilling:
            job = self._prefilling.pop()
            self._held -= job.prompt + job.generated
        else:
            _, job = self._running.popitem()
            job.generated = job.answer - (job.finish - self._step)
            cached = job.prompt + job.generated - 1
            self._cached -= cached
            self._held -= cached
            job.finish = -1
            job.last = now
        self._returning.appendleft(job)

    def _begin_chunk(self, now: float, admitting: bool) -> bool:
        """A step that takes prompts in; False where none may be."""
        limits, prefilling, running = self._limits, self._prefilling, len(self._running)
        budget = limits.chunk_tokens - running
        pairs = 0.0
        for job in prefilling:
            taken = min(job.todo, budget)
            pairs += taken * (job.past + taken / 2)
            job.past += taken
            job.todo -= taken
            budget -= taken
        if admitting:
            self.forget_impatient(now)
            while budget > 0 and running + len(prefilling) < limits.slots:
                queue = self._returning or self._waiting
                if not queue:
                    break
                job = queue[0]
                size = job.prompt + job.generated
                if self._held + size > limits.admitted_tokens and (running or prefilling):
                    break
                queue.popleft()
                self._held += size
                prefilling.append(job)
                taken = min(size, budget)
                pairs += taken * taken / 2
                job.past, job.todo = taken, size - taken
                budget -= taken
        if not prefilling:
            return False
        law = limits.law
        tokens = limits.chunk_tokens - budget
        self._duration = law.seconds(tokens, running, self._cached) + law.per_pair * pairs
        self._state, self._left, self._growth = _CHUNK, 1, 0.0
        self.ends = now + self._duration
        return True

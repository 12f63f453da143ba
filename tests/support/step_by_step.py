"""An engine that takes every step and every token by itself: slow, and easy to see through.

What the simulator's engine does in sums must come to the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from pointsman.placement.steptime import StepTime


@dataclass
class Request:
    """One request; `times` are those of its tokens."""

    arrives: float
    prompt: int
    answer: int
    times: list[float] = field(default_factory=list)
    cached: int = 0
    """Tokens in the cache."""
    wanted: int = 0
    """Tokens to take in before it goes on answering; it holds room for all of them."""

    @property
    def gaps(self) -> list[float]:
        return [later - earlier for earlier, later in pairwise(self.times)]


@dataclass
class StepByStep:
    """The whole of a run: `requests` in the order of their arrival."""

    law: StepTime
    slots: int
    cache_tokens: int
    chunk_tokens: int
    requests: Sequence[Request]
    kept_free: float = 0.01
    preemptions: int = 0
    now: float = 0.0

    def run(self) -> None:
        arriving = list(self.requests)
        waiting: list[Request] = []
        prompts: list[Request] = []
        answers: list[Request] = []
        while arriving or waiting or prompts or answers:
            if not (waiting or prompts or answers):
                self.now = max(self.now, arriving[0].arrives)
            while arriving and arriving[0].arrives <= self.now:
                waiting.append(arriving.pop(0))
            self._step(waiting, prompts, answers)

    def _step(self, waiting: list[Request], prompts: list[Request], answers: list[Request]) -> None:
        gave_way = self._make_room(waiting, prompts, answers)
        taken: list[tuple[Request, int]] = []
        budget = self.chunk_tokens - len(answers)
        for request in prompts:
            budget -= self._take(request, budget, taken)
        while not gave_way and waiting and budget > 0 and len(prompts) + len(answers) < self.slots:
            request = waiting[0]
            size = request.prompt + len(request.times)
            busy = prompts or answers
            if busy and self._held(prompts, answers) + size > int(self.cache_tokens * (1 - self.kept_free)):
                break
            prompts.append(waiting.pop(0))
            request.cached, request.wanted = 0, size
            budget -= self._take(request, budget, taken)
        new = sum(tokens for _, tokens in taken)
        pairs = sum(
            place for request, tokens in taken for place in range(request.cached - tokens, request.cached)
        )
        # Each token attends to those before it, and to half of itself.
        pairs_seconds = self.law.per_pair * (pairs + new / 2)
        read = sum(request.cached for request in answers)
        self.now += self.law.seconds(new + len(answers), len(answers), read) + pairs_seconds
        for request in list(answers):
            request.cached += 1
            self._token(request, answers)
        for request in list(prompts):
            if request.cached == request.wanted:
                prompts.remove(request)
                answers.append(request)
                self._token(request, answers)

    def _token(self, request: Request, answers: list[Request]) -> None:
        request.times.append(self.now)
        if len(request.times) == request.answer:
            answers.remove(request)

    def _make_room(self, waiting: list[Request], prompts: list[Request], answers: list[Request]) -> bool:
        gave_way = False
        while answers and self._held(prompts, answers) + len(answers) > self.cache_tokens:
            waiting.insert(0, (prompts or answers).pop())
            self.preemptions += 1
            gave_way = True
        return gave_way

    @staticmethod
    def _held(prompts: list[Request], answers: list[Request]) -> int:
        return sum(request.wanted for request in prompts) + sum(request.cached for request in answers)

    @staticmethod
    def _take(request: Request, budget: int, taken: list[tuple[Request, int]]) -> int:
        tokens = min(request.wanted - request.cached, budget)
        request.cached += tokens
        taken.append((request, tokens))
        return tokens

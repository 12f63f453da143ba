"""How large requests are, on the mean: of half an hour, and of the last minutes where these surely differ."""

import math

# A mix that shifts at noon is seen in the mean of some minutes, before the half hour.
_SHORT_SECONDS = 300.0
# A few requests of thousands of tokens move that mean by some per cent, and capacity with it: what may be
# chance is no reason to start or end a replica.
_LONG_SECONDS = 1800.0
# Means of so many requests differ by chance by no more than this share, over the root of their number: sizes
# of requests scatter by once to twice their mean (ServeGen, Azure), and none of a day's looks may be wrong.
_CHANCE = 6.0
# Until so many were seen, requests are taken for the usual ones.
_USUAL_REQUESTS = 10.0


class Sizes:
    """Tokens of a request, of its prompt or its answer; forgets as time goes by."""

    def __init__(self, usual_tokens: float) -> None:
        self._short, self._long = _Mean(usual_tokens), _Mean(usual_tokens)
        # For how long requests have been of these sizes.
        self._known_seconds = 0.0

    def add(self, seconds: float, requests: float, tokens: float) -> None:
        """What came in so many seconds."""
        self._known_seconds += max(0.0, seconds)
        self._short.add(seconds, requests, tokens, _SHORT_SECONDS)
        memory = min(max(self._known_seconds, _SHORT_SECONDS), _LONG_SECONDS)
        self._long.add(seconds, requests, tokens, memory)
        chance = _CHANCE / math.sqrt(max(self._short.requests, 1.0))
        if abs(self._short.tokens - self._long.tokens) > chance * self._long.tokens:
            self._long.follow(self._short)
            self._known_seconds = 0.0

    @property
    def tokens(self) -> float:
        return self._long.tokens


class _Mean:
    def __init__(self, usual_tokens: float) -> None:
        self.requests = _USUAL_REQUESTS
        self._sum = _USUAL_REQUESTS * usual_tokens

    @property
    def tokens(self) -> float:
        return self._sum / max(self.requests, 1e-9)

    def add(self, seconds: float, requests: float, tokens: float, memory_seconds: float) -> None:
        kept = math.exp(-max(0.0, seconds) / memory_seconds)
        self.requests = self.requests * kept + requests
        self._sum = self._sum * kept + tokens

    def follow(self, other: "_Mean") -> None:
        self.requests, self._sum = other.requests, other._sum

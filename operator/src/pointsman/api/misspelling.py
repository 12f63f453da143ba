"""Which of the known words a person meant who wrote another one."""

import difflib
from bisect import bisect
from collections.abc import Iterable, Sequence

# Comparing two words takes some 25 microseconds. A misspelled name of a large fleet mostly begins or ends as
# the name that was meant, so its neighbours in the order from either end are enough.
_NEIGHBOURS = 8
# Longer than any name, so that a text in a name's place costs little.
_LONGEST = 128


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a person most likely meant; for thousands of them, ask KnownWords."""
    candidates = list(known)
    by_lower = {candidate.lower(): candidate for candidate in candidates}
    if word.lower() in by_lower:
        return by_lower[word.lower()]
    close = difflib.get_close_matches(word[:_LONGEST], candidates, n=1, cutoff=0.6)
    return close[0] if close else None


class KnownWords:
    """Any number of words, in order from both ends."""

    def __init__(self, words: Iterable[str]) -> None:
        self._forwards = sorted(words)
        self._backwards = sorted(word[::-1] for word in self._forwards)

    def nearest(self, word: str) -> str | None:
        return nearest(word, self.beside(word.lower()[:_LONGEST]))

    def beside(self, word: str) -> list[str]:
        """The words that begin or end most nearly as this one, in order."""
        backwards = _around(self._backwards, word[::-1])
        return sorted({*_around(self._forwards, word), *(found[::-1] for found in backwards)})


def _around(ordered: Sequence[str], word: str) -> Sequence[str]:
    place = bisect(ordered, word)
    return ordered[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]

"""Random numbers of one seed, each purpose with its own: two policies meet the same accidents.

The third start of a flavour takes as long under every policy, and the loss of a zone comes at the same time.
"""

from zlib import crc32

import numpy as np
from numpy.random import Generator

_ROWS = 256
_MANY = 1 << 16
# A prime: neighbours do not share their numbers.
_STRIDE = 7919


def generator(seed: int, *purpose: str) -> Generator:
    """Numbers for a purpose, which is a few words."""
    return np.random.default_rng([seed, *(crc32(word.encode()) for word in purpose)])


class Rows:
    """A row of numbers in (0, 1) for each of any number of things, in their order."""

    def __init__(self, random: Generator, width: int) -> None:
        self._random = random
        self._width = width
        self._rows: list[list[float]] = []

    def row(self, ordinal: int) -> list[float]:
        while ordinal >= len(self._rows):
            self._rows += self._random.uniform(1e-9, 1.0, (_ROWS, self._width)).tolist()
        return self._rows[ordinal]


class Accidents:
    """Whether something happens to one of many at one of many times."""

    def __init__(self, random: Generator, probability: float) -> None:
        self._happens: list[bool] = (random.random(_MANY) < probability).tolist() if probability > 0 else []

    def happens(self, which: int, when: int) -> bool:
        return bool(self._happens) and self._happens[(which * _STRIDE + when) % _MANY]

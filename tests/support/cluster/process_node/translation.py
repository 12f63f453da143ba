"""Replaces what only exists inside a container: mount paths, and the addresses that mean "this pod".

Pure. One pass over each text, so that what was put in is not replaced again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

_OWN_ADDRESSES = ("0.0.0.0", "127.0.0.1", "localhost", "[::]", "[::1]")


class Translation:
    """From a pod's texts to this machine's: `paths` are mount paths and the folders that stand for them."""

    def __init__(self, paths: Mapping[str, str], address: str) -> None:
        self._address = address
        self._paths = {path.rstrip("/"): target for path, target in paths.items()}
        # A path is whole where neither neighbour could belong to a longer name; the longest one wins.
        longest_first = sorted(self._paths, key=len, reverse=True)
        alternatives = [rf"(?<![\w.-]){re.escape(path)}(?![\w.-])" for path in longest_first]
        alternatives.append(r"(?<![^=]):(?=\d{1,5}$)")  # `--listen=:8080`
        alternatives += [rf"(?<![\w.]){re.escape(address)}(?![\w.])" for address in _OWN_ADDRESSES]
        self._pattern = re.compile("|".join(alternatives))

    def text(self, text: str) -> str:
        """An argument, or the value of a variable."""
        return self._pattern.sub(self._replacement, text)

    def _replacement(self, found: re.Match[str]) -> str:
        return f"{self._address}:" if found[0] == ":" else self._paths.get(found[0], self._address)

    def texts(self, texts: Iterable[str]) -> list[str]:
        return [self.text(text) for text in texts]

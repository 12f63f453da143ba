"""What an object keeps alive, for tests of what is to be forgotten."""

import gc
from collections.abc import Iterator


def texts_in(*roots: object, past: tuple[type, ...] = ()) -> Iterator[str]:
    """Every text that can be reached from these objects, but through modules, classes and what is `past`."""
    seen: set[int] = set()
    waiting = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (type, *past)) or type(one).__name__ in ("module", "function"):
            continue
        seen.add(id(one))
        if isinstance(one, str):
            yield one
        waiting.extend(gc.get_referents(one))
        if isinstance(one, dict):
            # The collector passes over keys that are texts.
            waiting.extend(one)

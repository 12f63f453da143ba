"""Lines out of a stream that arrives in parts, and JSON out of them."""

from collections.abc import Iterator
from typing import Any

from pointsman.json_text import loaded


class JsonLines:
    """Feed parts in, get whole lines as JSON out. A line that never ends is never given."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []

    def feed(self, part: bytes) -> Iterator[Any]:
        """Raises ValueError at a line that is not JSON."""
        end = part.rfind(b"\n")
        if end < 0:
            self._rest.append(part)
            return
        whole = b"".join([*self._rest, part[:end]])
        self._rest = [part[end + 1 :]] if end + 1 < len(part) else []
        for line in whole.split(b"\n"):
            if line:
                yield loaded(line)

    @property
    def is_within_a_line(self) -> bool:
        return bool(self._rest)

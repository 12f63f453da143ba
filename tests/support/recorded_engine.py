"""What a real vLLM said (tests/data/engines): its metrics, its answers, and of adapters that come and go."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

VERSION = "0.32.0"
FLAG_VERSIONS = ("0.9.2", "0.18.1", "0.33.0")

_FOLDER = Path(__file__).parent.parent / "data" / "engines"


@dataclass(frozen=True)
class Recorded:
    """One answer; `request` is None where it does not matter."""

    path: str
    status: int
    content_type: str | None
    body: str
    request: dict[str, Any] | None

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[Any]:
        """Of a stream, without its [DONE]."""
        lines = (line.removeprefix("data: ") for line in self.body.splitlines() if line)
        return [json.loads(line) for line in lines if line != "[DONE]"]


@cache
def flags(version: str) -> tuple[tuple[str, ...], ...]:
    """Each option of the server's command line by all of its names."""
    text = (_FOLDER / f"vllm-{version}-flags.txt").read_text(encoding="utf-8")
    return tuple(tuple(line.split()) for line in text.splitlines())


@cache
def metrics_page() -> str:
    """After seven answers."""
    return (_FOLDER / f"vllm-{VERSION}-metrics.txt").read_text(encoding="utf-8")


@cache
def answers() -> dict[str, Recorded]:
    return _recorded("answers")


@cache
def adapter_answers() -> dict[str, Recorded]:
    """In their order: each stands on what those before it did."""
    return _recorded("adapters")


def _recorded(kind: str) -> dict[str, Recorded]:
    rows = json.loads((_FOLDER / f"vllm-{VERSION}-{kind}.json").read_text(encoding="utf-8"))
    return {
        row["name"]: Recorded(row["path"], row["status"], row["type"], row["body"], row.get("request"))
        for row in rows
    }

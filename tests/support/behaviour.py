"""How a stand-in answers one request: as an engine would, or with one chosen fault.

A behaviour is data, so that a test can put it on an instance, on a model name, or on the next few
requests. The playing of it is in `scripted_answer`; nothing here touches a socket.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any


class Fault(StrEnum):
    """What goes wrong. The value is also what a model name starts with to ask for it."""

    NONE = "ok"
    STATUS = "status"
    RATE_LIMITED = "rate-limited"
    CONTEXT_OVERFLOW = "context-overflow"
    CONTENT_FILTER = "content-filter"
    RESET_BEFORE_HEADERS = "reset-before-headers"
    HANG_BEFORE_HEADERS = "hang-before-headers"
    HEADERS_THEN_HANG = "headers-then-hang"
    HEADERS_THEN_RESET = "headers-then-reset"
    ERROR_IN_FIRST_EVENT = "error-in-first-event"
    ERROR_EVENT = "error-event"
    COMMENT_THEN_ERROR = "comment-then-error"
    JSON_ERROR_IN_200 = "json-error-in-200"
    RESET_AFTER_CHUNKS = "reset-after-chunks"
    ERROR_AFTER_CHUNKS = "error-after-chunks"
    END_WITHOUT_DONE = "end-without-done"
    HANG_AFTER_CHUNKS = "hang-after-chunks"


class Dialect(StrEnum):
    """Whose words an error body is written in."""

    VLLM = "vllm"
    VLLM_EARLIER = "vllm-earlier"
    OPENAI = "openai"
    AZURE = "azure"
    LLAMA_CPP = "llama.cpp"


@dataclass(frozen=True)
class Behaviour:
    """One way to answer. The defaults answer well and at once, in eight tokens."""

    fault: Fault = Fault.NONE
    dialect: Dialect = Dialect.VLLM
    status: int = 500
    """HTTP status of `Fault.STATUS`."""
    message: str = ""
    """Text of an error; empty means the dialect's own words."""
    retry_after_seconds: int = 0
    """With `status` and `rate-limited`: the Retry-After header; 0 sends none."""
    chunks: int = 8
    """Content chunks of a whole answer."""
    chunks_before_fault: int = 3
    """Content chunks sent before a `…-after-chunks` or `end-without-done` fault."""
    gap_seconds: float = 0.0
    """Pause between content chunks."""
    first_token_seconds: float = 0.0
    """Pause between the response headers (streams) or the request (plain answers) and the first token."""
    hang_seconds: float = 120.0
    """How long a hang lasts at most when the other side does not hang up: no test waits longer than this."""
    answer_bytes: int = 0
    """When above 0: the size of the answer's text, spread over `chunks`."""
    role_chunk: bool = True
    """Whether a stream opens with a chunk that has a role and no content, as vLLM's does."""
    continuous_usage: bool = False
    """Usage on every chunk, whether or not the client asked for it."""
    obeys_max_tokens: bool = False
    """Whether a request's `max_tokens` makes its answer shorter, as `chunks` make it longer."""

    def __post_init__(self) -> None:
        if self.chunks < 1 or self.chunks_before_fault < 0:
            raise ValueError("chunks must be at least 1 and chunks_before_fault at least 0")
        if self.hang_seconds > 600:
            raise ValueError("hang_seconds must be at most 600: a forgotten stand-in must come to an end")

    def changed(self, **changes: Any) -> Behaviour:
        """This behaviour with some fields replaced."""
        return replace(self, **changes)

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON data; `behaviour_from_dict` reads it back."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


_KINDS: dict[str, type] = {f.name: type(f.default) for f in fields(Behaviour)}


def _converted(key: str, value: object) -> Any:
    if key not in _KINDS:
        raise ValueError(f"a behaviour has no field {key!r}; it has {', '.join(sorted(_KINDS))}")
    kind = _KINDS[key]
    if kind is bool and isinstance(value, str):
        return {"true": True, "false": False}[value]
    return kind(value)


def behaviour_from_dict(data: Mapping[str, object]) -> Behaviour:
    """Read a behaviour from JSON data. Raises ValueError for an unknown field or fault."""
    return Behaviour(**{key: _converted(key, value) for key, value in data.items()})


def behaviour_from_model_name(model: str, default: Behaviour) -> Behaviour | None:
    """The behaviour that a model name asks for, or None where the name is just a name.

    `FAULT` or `FAULT:field-value:field-value…`, such as `status:status-503`, `rate-limited` or
    `reset-after-chunks:chunks_before_fault-2`. What the name leaves open comes from `default`. A name
    whose first part is no fault (`qwen3:32b`) asks for nothing.
    """
    first, *settings = model.split(":")
    if first not in Fault.__members__.values():
        return None
    changes: dict[str, Any] = {"fault": Fault(first)}
    for setting in settings:
        key, _, value = setting.partition("-")
        changes[key] = _converted(key, value)
    return default.changed(**changes)

"""The JSON of OpenAI-shaped answers, as vLLM writes them: plain objects and the chunks of a stream.

Ids and times are constants: two answers to one question are the same bytes, so that a test can compare them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

CREATED = 1_767_225_600
"""2026-01-01T00:00:00Z, in place of the time of the answer."""

DONE = b"data: [DONE]\n\n"

Json = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What of a request's body decides the shape of the answer."""

    path: str
    model: str
    prompt_tokens: int
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    inputs: int = 1
    """Number of texts of an embedding request."""
    max_tokens: int | None = None

    @property
    def endpoint(self) -> str:
        """`chat`, `completions`, `embeddings` or `responses`; empty for a path that is none of them."""
        for ending, endpoint in _ENDPOINTS.items():
            if self.path.endswith(ending):
                return endpoint
        return ""


_ENDPOINTS = {
    "/chat/completions": "chat",
    "/completions": "completions",
    "/embeddings": "embeddings",
    "/responses": "responses",
}


def question_from(path: str, body: Mapping[str, Any], body_bytes: int) -> Question:
    """Read a request; a token is taken to be four bytes of body."""
    options = body.get("stream_options")
    options = options if isinstance(options, Mapping) else {}
    texts = body.get("input")
    max_tokens = body.get("max_tokens")
    return Question(
        path=path.partition("?")[0],
        model=str(body.get("model", "")),
        prompt_tokens=max(1, body_bytes // 4),
        stream=body.get("stream") is True,
        include_usage=options.get("include_usage") is True,
        continuous_usage=options.get("include_usage") is True
        and options.get("continuous_usage_stats") is True,
        inputs=len(texts) if isinstance(texts, list) else 1,
        max_tokens=max_tokens if isinstance(max_tokens, int) else None,
    )


def usage(question: Question, completion_tokens: int) -> Json:
    """The usage object of an answer of that many tokens, as a stream has it."""
    return {
        "prompt_tokens": question.prompt_tokens,
        "total_tokens": question.prompt_tokens + completion_tokens,
        "completion_tokens": completion_tokens,
    }


def text_pieces(answer: str, chunks: int, answer_bytes: int) -> Iterator[str]:
    """The text of an answer, a piece a chunk: `answer` and a counter, or filler of `answer_bytes` in all."""
    if answer_bytes <= 0:
        for index in range(chunks):
            yield f"{answer} " if index == 0 else f"t{index} "
        return
    size, rest = divmod(answer_bytes, chunks)
    for index in range(chunks):
        yield "x" * (size + (rest if index == chunks - 1 else 0))


def plain_answer(question: Question, text: str, completion_tokens: int) -> Json:
    """The whole answer as one JSON object."""
    counted = {**usage(question, completion_tokens), "prompt_tokens_details": None}
    if question.endpoint == "embeddings":
        rows = [
            {"object": "embedding", "index": index, "embedding": [0.25, -0.5, 0.75, 1.0]}
            for index in range(question.inputs)
        ]
        return {
            "id": "embd-stand-in",
            "object": "list",
            "created": CREATED,
            "model": question.model,
            "data": rows,
            "usage": {**counted, "completion_tokens": 0, "total_tokens": question.prompt_tokens},
        }
    if question.endpoint == "completions":
        choice: Json = {
            "index": 0,
            "text": text,
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
        }
        return {
            "id": "cmpl-stand-in",
            "object": "text_completion",
            "created": CREATED,
            "model": question.model,
            "choices": [choice],
            "usage": counted,
        }
    if question.endpoint == "responses":
        return _response_object(question, text, completion_tokens, "completed")
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
        "stop_reason": None,
    }
    return {
        "id": "chatcmpl-stand-in",
        "object": "chat.completion",
        "created": CREATED,
        "model": question.model,
        "choices": [choice],
        "usage": counted,
    }


def _response_object(question: Question, text: str, completion_tokens: int, status: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    message = {
        "id": "msg-stand-in",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }
    return {
        "id": "resp-stand-in",
        "object": "response",
        "created_at": CREATED,
        "model": question.model,
        "status": status,
        "output": [message] if text else [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": question.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": question.prompt_tokens + completion_tokens,
        },
    }


def event(data: Json, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


def _chunk(question: Question, choices: list[Json], used_tokens: int | None) -> bytes:
    is_chat = question.endpoint != "completions"
    data: Json = {
        "id": "chatcmpl-stand-in" if is_chat else "cmpl-stand-in",
        "object": "chat.completion.chunk" if is_chat else "text_completion",
        "created": CREATED,
        "model": question.model,
        "choices": choices,
    }
    if used_tokens is not None:
        data["usage"] = usage(question, used_tokens)
    return event(data)


def role_chunk(question: Question, continuous_usage: bool) -> bytes:
    """The opening chunk of a chat stream: a role and no content."""
    delta = {"role": "assistant", "content": ""}
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}
    return _chunk(question, [choice], 0 if continuous_usage else None)


def content_chunk(question: Question, text: str, index: int, continuous_usage: bool) -> bytes:
    """The chunk number `index` (from 0) that carries text."""
    if question.endpoint == "responses":
        return event(
            {
                "type": "response.output_text.delta",
                "item_id": "msg-stand-in",
                "output_index": 0,
                "content_index": 0,
                "sequence_number": index + 1,
                "delta": text,
                "logprobs": [],
            },
            "response.output_text.delta",
        )
    if question.endpoint == "completions":
        choice: Json = {
            "index": 0,
            "text": text,
            "logprobs": None,
            "finish_reason": None,
            "stop_reason": None,
        }
    else:
        choice = {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
    return _chunk(question, [choice], index + 1 if continuous_usage else None)


def opening_chunk(question: Question, continuous_usage: bool) -> bytes:
    """What a stream says before any content; empty where it says nothing."""
    if question.endpoint == "responses":
        created = _response_object(question, "", 0, "in_progress")
        return event(
            {"type": "response.created", "sequence_number": 0, "response": created}, "response.created"
        )
    return role_chunk(question, continuous_usage) if question.endpoint == "chat" else b""


def closing_chunks(question: Question, text: str, completion_tokens: int, continuous_usage: bool) -> bytes:
    """The end of a whole stream: finish reason, usage where it was asked for (`choices: []`), `[DONE]`."""
    if question.endpoint == "responses":
        done = _response_object(question, text, completion_tokens, "completed")
        sequence_number = completion_tokens + 1
        return event(
            {"type": "response.completed", "sequence_number": sequence_number, "response": done},
            "response.completed",
        )
    if question.endpoint == "completions":
        choice: Json = {
            "index": 0,
            "text": "",
            "logprobs": None,
            "finish_reason": "stop",
            "stop_reason": None,
        }
    else:
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop", "stop_reason": None}
    parts = [_chunk(question, [choice], completion_tokens if continuous_usage else None)]
    if question.include_usage:
        parts.append(_chunk(question, [], completion_tokens))
    return b"".join([*parts, DONE])

"""Error bodies in the words of the servers that send them, for gateways that tell errors apart by words.

The wordings were collected from the servers' public issue threads and sources (vLLM 0.8 to 0.33, OpenAI,
Azure OpenAI, llama.cpp since its `exceed_context_size_error`); tests that classify errors stand on them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.behaviour import Behaviour, Dialect, Fault

_CONTEXT_LIMIT_TOKENS = 4096
_PROMPT_TOKENS = 5000

_STATUS_TYPES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    408: "RequestTimeoutError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "ServiceUnavailableError",
}

_OPENAI_TYPES = {
    401: ("invalid_request_error", "invalid_api_key"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    500: ("server_error", None),
    503: ("server_error", None),
}

Body = dict[str, Any]


def status_error(status: int, message: str, dialect: Dialect) -> Body:
    """A body for any HTTP status."""
    words = message or f"The stand-in was asked to answer with status {status}."
    if dialect is Dialect.LLAMA_CPP:
        kind = "server_error" if status >= 500 else "invalid_request_error"
        return {"error": {"code": status, "message": words, "type": kind}}
    if dialect in (Dialect.OPENAI, Dialect.AZURE):
        kind, code = _OPENAI_TYPES.get(status, ("invalid_request_error", None))
        return {"error": {"message": words, "type": kind, "param": None, "code": code}}
    kind = _STATUS_TYPES.get(status, "InternalServerError" if status >= 500 else "BadRequestError")
    if dialect is Dialect.VLLM_EARLIER:
        return {"object": "error", "message": words, "type": kind, "param": None, "code": status}
    return {"error": {"message": words, "type": kind, "param": None, "code": status}}


def _context_vllm() -> Body:
    return {
        "error": {
            "message": f"This model's maximum context length is {_CONTEXT_LIMIT_TOKENS} tokens. However, "
            f"your prompt contains at least {_CONTEXT_LIMIT_TOKENS + 1} input tokens, which exceeds this "
            "limit even without any output tokens. Please reduce the length of the input prompt. "
            f"(parameter=input_tokens, value={_CONTEXT_LIMIT_TOKENS + 1})",
            "type": "BadRequestError",
            "param": "input_tokens",
            "code": 400,
        }
    }


def _context_vllm_earlier() -> Body:
    return {
        "object": "error",
        "message": f"This model's maximum context length is {_CONTEXT_LIMIT_TOKENS} tokens. However, you "
        f"requested {_PROMPT_TOKENS + 256} tokens ({_PROMPT_TOKENS} in the messages, 256 in the completion). "
        "Please reduce the length of the messages or completion.",
        "type": "BadRequestError",
        "param": None,
        "code": 400,
    }


def _context_openai() -> Body:
    return {
        "error": {
            "message": f"This model's maximum context length is {_CONTEXT_LIMIT_TOKENS} tokens. However, "
            f"your messages resulted in {_PROMPT_TOKENS} tokens. Please reduce the length of the messages.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        }
    }


def _context_llama_cpp() -> Body:
    return {
        "error": {
            "code": 400,
            "message": f"request ({_PROMPT_TOKENS} tokens) exceeds the available context size "
            f"({_CONTEXT_LIMIT_TOKENS} tokens), try increasing it",
            "type": "exceed_context_size_error",
            "n_prompt_tokens": _PROMPT_TOKENS,
            "n_ctx": _CONTEXT_LIMIT_TOKENS,
        }
    }


_CONTEXT: dict[Dialect, Callable[[], Body]] = {
    Dialect.VLLM: _context_vllm,
    Dialect.VLLM_EARLIER: _context_vllm_earlier,
    Dialect.OPENAI: _context_openai,
    Dialect.AZURE: _context_openai,
    Dialect.LLAMA_CPP: _context_llama_cpp,
}


def context_overflow(dialect: Dialect) -> Body:
    """The 400 body of a prompt that is longer than the model's context."""
    return _CONTEXT[dialect]()


def content_filter(dialect: Dialect) -> Body:
    """The 400 body of a prompt that the provider's content filter refused (Azure's, else OpenAI's)."""
    if dialect is Dialect.AZURE:
        safe = {"filtered": False, "severity": "safe"}
        return {
            "error": {
                "message": "The response was filtered due to the prompt triggering Azure OpenAI's content "
                "management policy. Please modify your prompt and retry.",
                "type": None,
                "param": "prompt",
                "code": "content_filter",
                "status": 400,
                "innererror": {
                    "code": "ResponsibleAIPolicyViolation",
                    "content_filter_result": {
                        "hate": safe,
                        "self_harm": safe,
                        "sexual": safe,
                        "violence": {"filtered": True, "severity": "medium"},
                    },
                },
            }
        }
    return {
        "error": {
            "message": "Your request was rejected as a result of our safety system.",
            "type": "invalid_request_error",
            "param": None,
            "code": "content_filter",
        }
    }


def error_response(behaviour: Behaviour) -> tuple[int, Body, dict[str, str]]:
    """Status, JSON body and headers of a behaviour whose fault is an error status."""
    headers = {"retry-after": str(behaviour.retry_after_seconds)} if behaviour.retry_after_seconds else {}
    if behaviour.fault is Fault.CONTEXT_OVERFLOW:
        return 400, context_overflow(behaviour.dialect), {}
    if behaviour.fault is Fault.CONTENT_FILTER:
        return 400, content_filter(behaviour.dialect), {}
    status = 429 if behaviour.fault is Fault.RATE_LIMITED else behaviour.status
    if behaviour.fault is Fault.RATE_LIMITED:
        headers = {"retry-after": str(behaviour.retry_after_seconds or 1)}
    return status, status_error(status, behaviour.message, behaviour.dialect), headers


def streamed_error(behaviour: Behaviour) -> Body:
    """The error object that an engine writes into a stream it has already begun with a 200."""
    return status_error(behaviour.status, behaviour.message or "Engine core died.", behaviour.dialect)

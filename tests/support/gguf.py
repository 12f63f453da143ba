"""Weights files that are a header and nothing else."""

import struct
from typing import Any


def gguf(entries: dict[str, Any], magic: bytes = b"GGUF") -> bytes:
    """A GGUF header with 32-bit numbers, strings and lists of numbers."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    def one(value: Any) -> bytes:
        if isinstance(value, str):
            return struct.pack("<I", 8) + text(value)
        if isinstance(value, list) and value and isinstance(value[0], str):
            return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
        if isinstance(value, list):
            return struct.pack(f"<IIQ{len(value)}I", 9, 4, len(value), *value)
        return struct.pack("<II", 4, value)

    body = b"".join(text(key) + one(value) for key, value in entries.items())
    return magic + struct.pack("<IQQ", 3, 0, len(entries)) + body


LLAMA: dict[str, Any] = {
    "general.architecture": "llama",
    "general.tags": ["a", "b"],
    "llama.context_length": 8192,
    "llama.block_count": 32,
    "llama.embedding_length": 4096,
    "llama.attention.head_count": 32,
    "llama.attention.head_count_kv": 8,
}

"""What a GGUF file says about its model: the few numbers that decide memory and context.

Only the header is read. Layout: github.com/ggml-org/ggml/blob/master/docs/gguf.md. The `gguf` package reads
it too, and brings numpy for it.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pointsman.weights.trouble import Reason, WeightsError

_MAGIC = b"GGUF"
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
# A count above this is a damaged file: the largest vocabularies have some 300,000 entries.
_MOST_ITEMS = 16_000_000

_Value = int | float | bool | str | list[int | float | bool] | None


@dataclass(frozen=True)
class ModelFacts:
    """Facts of a model. `kv_bytes_per_token` holds keys and values of all layers in 16 bit."""

    architecture: str
    context_length: int
    layers: int
    kv_bytes_per_token: int


def read_facts(path: Path) -> ModelFacts:
    """Read the header. Raises WeightsError if the file is not a GGUF file of version 2 or 3, OSError on
    reading.
    """
    with path.open("rb") as file:
        try:
            return _facts(_metadata(file))
        except (struct.error, UnicodeDecodeError, ValueError, KeyError) as error:
            raise WeightsError(
                Reason.UNREADABLE,
                "is not a GGUF file that can be read",
                where=str(path),
                todo="llama.cpp needs a GGUF file",
            ) from error


def _facts(metadata: dict[str, _Value]) -> ModelFacts:
    architecture = str(metadata["general.architecture"])

    def number(key: str, default: int) -> int:
        value = metadata.get(f"{architecture}.{key}", default)
        return value if isinstance(value, int) else default

    layers = number("block_count", 0)
    heads = number("attention.head_count", 1)
    kv_heads = metadata.get(f"{architecture}.attention.head_count_kv", heads)
    # Some models have another number of key-value heads in each layer, and then list them.
    total_kv_heads = (
        int(sum(kv_heads))
        if isinstance(kv_heads, list)
        else number("attention.head_count_kv", heads) * layers
    )
    head_size = number("embedding_length", 0) // max(1, heads)
    key_size, value_size = (
        number("attention.key_length", head_size),
        number("attention.value_length", head_size),
    )
    return ModelFacts(
        architecture, number("context_length", 0), layers, total_kv_heads * (key_size + value_size) * 2
    )


def _metadata(file: BinaryIO) -> dict[str, _Value]:
    magic, version = file.read(4), _read(file, "I")
    if magic != _MAGIC or version not in (2, 3):
        raise ValueError("no GGUF header")
    _tensors, entries = _read(file, "Q"), _read(file, "Q")
    found: dict[str, _Value] = {}
    for _ in range(_bounded(entries)):
        key = _string(file)
        # The tokenizer follows the model's own numbers and is by far the longest part.
        if key.startswith("tokenizer.") and "general.architecture" in found:
            break
        found[key] = _value(file, _read(file, "I"))
    return found


def _read(file: BinaryIO, layout: str) -> int:
    value = struct.unpack(f"<{layout}", file.read(struct.calcsize(layout)))[0]
    return int(value)


def _bounded(count: int) -> int:
    if count > _MOST_ITEMS:
        raise ValueError("a count that no model has")
    return count


def _string(file: BinaryIO) -> str:
    return file.read(_bounded(_read(file, "Q"))).decode()


def _value(file: BinaryIO, kind: int) -> _Value:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        return _array(file)
    layout = _SCALARS[kind]
    value = struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))[0]
    assert isinstance(value, int | float | bool)
    return value


def _array(file: BinaryIO) -> _Value:
    kind, count = _read(file, "I"), _bounded(_read(file, "Q"))
    if kind == _STRING:
        for _ in range(count):
            _string(file)
        return None
    layout = f"<{count}{_SCALARS[kind]}"
    return list(struct.unpack(layout, file.read(struct.calcsize(layout))))

"""Models that are split over several files, as llama.cpp names them: NAME-00001-of-00003.gguf and so on."""

import re
from pathlib import Path

_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


def is_shard(name: str) -> bool:
    return _SHARD.fullmatch(name) is not None


def is_first_or_whole(name: str) -> bool:
    """Whether a file is what llama.cpp is told to open."""
    shard = _SHARD.fullmatch(name)
    return shard is None or int(shard["number"]) == 1


def with_shards(name: str) -> tuple[str, ...]:
    """The names of all files of the model that one of them names."""
    shard = _SHARD.fullmatch(name)
    if shard is None:
        return (name,)
    return tuple(
        f"{shard['stem']}-{number:05}-of-{shard['count']}.gguf"
        for number in range(1, int(shard["count"]) + 1)
    )


def total_bytes(path: Path) -> int:
    """The size of a model, all of its files together; one that is missing counts nothing. Raises OSError if
    the file itself is.
    """
    others = (path.with_name(name) for name in with_shards(path.name) if name != path.name)
    return path.stat().st_size + sum(other.stat().st_size for other in others if other.is_file())

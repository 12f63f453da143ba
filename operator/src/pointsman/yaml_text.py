"""YAML out of objects, as people read it."""

from collections.abc import Iterable
from typing import Any

import yaml


class _Plain(yaml.SafeDumper):
    """Writes repeated parts out: kubectl reads anchors, and people do not."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dumped(documents: Iterable[Any]) -> str:
    """The documents, one below the other, with keys in their order: the same text each time."""
    return yaml.dump_all(documents, Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)

"""How a scripted engine starts and ends, apart from how it answers: data, from the variable ENGINE_SCRIPT."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.behaviour import Behaviour, behaviour_from_dict

VARIABLE = "ENGINE_SCRIPT"

_TAG = re.compile(r"[:-]v?(\d+(?:\.\d+)+)")  # also behind a word, as in cuda-1.9


@dataclass(frozen=True)
class EngineScript:
    """An engine that starts at once, stays and answers well, unless something is said."""

    start_seconds: float = 0.1
    """From the start of the process until it can answer."""
    warmup_seconds: float = 0.0
    """SGLang: how much of that it listens already and answers 503."""
    crash_at_start: str = ""
    """The last line of its log; it ends with exit code 1 after `start_seconds`."""
    ignores_sigterm: bool = False
    version: str = ""
    """In place of the version in the image's tag."""
    missing_metrics: tuple[str, ...] = ()
    """Names that its metrics page does not have."""
    behaviour: Behaviour = field(default_factory=Behaviour)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> EngineScript:
        """Reads JSON with these fields. Raises ValueError for a field that there is not."""
        stated: dict[str, Any] = json.loads(environment.get(VARIABLE) or "{}")
        unknown = set(stated) - set(cls.__dataclass_fields__)
        if unknown:
            raise ValueError(f"{VARIABLE} has no {', '.join(sorted(unknown))}")
        if "behaviour" in stated:
            stated["behaviour"] = behaviour_from_dict(stated["behaviour"])
        if "missing_metrics" in stated:
            stated["missing_metrics"] = tuple(stated["missing_metrics"])
        return cls(**stated)


def image_version(environment: Mapping[str, str], newest: str) -> tuple[int, ...]:
    """The version in the tag of the container's image; `newest` where it has none, as with a digest."""
    image = environment.get("PROCESS_NODE_IMAGE", "")
    found = _TAG.search(image.partition("@")[0].rpartition("/")[2])
    return version_number(found[1] if found else newest)


def version_number(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))

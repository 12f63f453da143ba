"""LoRA adapters of a scripted engine, as its command line names them: read at the start, or there is none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

CONFIGURATION = "adapter_config.json"
"""What peft writes beside an adapter's weights, and what engines look for first."""


def loaded(stated: Sequence[str], *, is_enabled: bool, highest_rank: int | None = None) -> list[str]:
    """The names of `name=path` items. Ends the process, as engines do, for what cannot be loaded."""
    if stated and not is_enabled:
        sys.exit("ValueError: LoRA is not enabled! Use --enable-lora to enable LoRA.")
    names = []
    for item in stated:
        name, _, path = item.partition("=")
        file = Path(path) / CONFIGURATION
        if not file.is_file():
            sys.exit(f"ValueError: Loading lora {name} failed: No adapter found for {path}")
        rank = int(json.loads(file.read_text(encoding="utf-8"))["r"])
        if highest_rank is not None and rank > highest_rank:
            sys.exit(f"ValueError: LoRA rank {rank} is greater than max_lora_rank {highest_rank}.")
        names.append(name)
    return names

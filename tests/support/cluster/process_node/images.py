"""Which program of this machine a container's image stands for."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[4]
_PYTHON = (sys.executable,)

_TREES = (_ROOT, _ROOT / "operator" / "src", _ROOT / "autoscaler" / "src")
TREE = {"PYTHONPATH": os.pathsep.join(map(str, _TREES))}
"""The environment of an image that runs a `module`."""


@dataclass(frozen=True)
class Image:
    """Images whose reference matches `pattern` (as file names do) run `entrypoint`.

    `programs` are what the image has inside: the first words of a container's command, and what is run in
    their place. Words that are not named are this machine's own programs.
    """

    pattern: str
    entrypoint: tuple[str, ...]
    programs: Mapping[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    def translated(self, command: Sequence[str]) -> list[str]:
        """The command with its first words replaced; the longest that is named counts."""
        programs = {("python",): _PYTHON, ("python3",): _PYTHON, **self.programs}
        for length in range(len(command), 0, -1):
            program = programs.get(tuple(command[:length]))
            if program is not None:
                return [*program, *command[length:]]
        return list(command)

    def command(self, command: Sequence[str], arguments: Sequence[str]) -> list[str]:
        """What a container of this image runs: its own command, or the image's."""
        start = self.translated(command) if command else list(self.entrypoint)
        return [*start, *arguments]


def find_image(images: Sequence[Image], reference: str) -> Image | None:
    """The first that matches; None for an image that no registry has."""
    return next((image for image in images if fnmatchcase(reference, image.pattern)), None)


def module(name: str) -> tuple[str, ...]:
    """The command that runs a module of this tree."""
    return (sys.executable, "-m", name)


def known_images() -> tuple[Image, ...]:
    """The images that the product names: llama.cpp for real, scripted engines for GPUs, and our own."""
    llama = module("tests.support.engines.llama_server")
    vllm = module("tests.support.engines.vllm")
    sglang = module("tests.support.engines.sglang")
    tei = module("tests.support.engines.tei")
    triton = module("tests.support.engines.triton")
    front_end = "/opt/tritonserver/python/openai/openai_frontend/main.py"
    pointsman = module("pointsman.cli.main")
    launchers = [("python3", "-m", "sglang.launch_server"), ("python", "-m", "sglang.launch_server")]
    return (
        Image(
            "ghcr.io/ggml-org/llama.cpp[:@]*",
            llama,
            {("/app/llama-server",): llama, ("llama-server",): llama},
            TREE,
        ),
        Image("vllm/vllm-openai*[:@]*", vllm, {("vllm", "serve"): (*vllm, "--model")}, TREE),
        Image(
            "lmsysorg/sglang[:@]*",
            (),
            {("sglang", "serve"): sglang, **dict.fromkeys(launchers, sglang)},
            TREE,
        ),
        Image("ghcr.io/huggingface/text-embeddings-inference[:@]*", tei, {}, TREE),
        Image("nvcr.io/nvidia/tritonserver[:@]*", (), {("python3", front_end): triton}, TREE),
        Image("*pointsman*[:@]*", pointsman, {("pointsman",): pointsman}, TREE),
    )

"""Objects for tests of the API: every field stated once, and ways to damage them."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

CORPUS = Path(__file__).parents[1] / "corpus"
VALID_FILES = sorted((CORPUS / "valid").glob("*.yaml"))

Json = Any

SECRET_VALUE = "sentinel-of-a-secret"
"""Stands in a Secret among the valid files, and must never appear in a finding."""


@cache
def valid_documents() -> tuple[dict[str, Json], ...]:
    """One document for each object of tests/corpus/valid, fleet settings apart."""
    files = [file for file in VALID_FILES if file.stem != "fleet"]
    return tuple(document for file in files for document in yaml.safe_load_all(file.read_text()))


_SCALARS: st.SearchStrategy[Json] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 200_000),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(
        ["", " ", "x" * 300, "a b", "0s", "1d", "0.5", "1.5", "-1", "é", "\u2028", "a/b", "!x", "*"]
    ),
    st.sampled_from(
        ["chat", "off", "llama.cpp", "hf://a/b", "https://x.example.com/v1", "small", "public", "spot"]
    ),
    st.sampled_from(["https://[::1]/v1", "http://[1:2]/v1", "http://[", "0x7f.1"]),
)
JSON: st.SearchStrategy[Json] = st.recursive(
    _SCALARS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=6), below, max_size=3),
    max_leaves=6,
)


def places(document: Json) -> list[tuple[Json, str | int]]:
    """Every place of a document that can be damaged: its container and the key or index there."""
    found: list[tuple[Json, str | int]] = []
    if isinstance(document, dict):
        for key, value in document.items():
            found.append((document, key))
            found.extend(places(value))
    elif isinstance(document, list):
        for index, value in enumerate(document):
            found.append((document, index))
            found.extend(places(value))
    return found


@st.composite
def damaged_documents(draw: st.DrawFn, keep: tuple[str, ...] = ()) -> dict[str, Json]:
    """A valid object with one to four places removed, renamed, doubled, wrapped or replaced.

    `keep` names top-level keys that stay as they are.
    """
    document = copy.deepcopy(draw(st.sampled_from(valid_documents())))
    kept = {key: document.pop(key) for key in keep if key in document}
    for _ in range(draw(st.integers(1, 4))):
        candidates = places(document)
        if not candidates:
            break
        container, key = draw(st.sampled_from(candidates))
        _damage(draw, container, key)
    return {**kept, **document}


def _damage(draw: st.DrawFn, container: Json, key: str | int) -> None:
    match draw(st.sampled_from(["remove", "replace", "replace", "rename", "wrap", "double", "many"])):
        case "remove":
            del container[key]
        case "replace":
            container[key] = draw(JSON)
        case "rename" if isinstance(key, str):
            name = draw(
                st.sampled_from([key + "s", key[:-1], key.upper(), key[::-1], ""]) | st.text(max_size=8)
            )
            container[name] = container.pop(key)
        case "wrap":
            container[key] = [container[key]]
        case "many":
            container[key] = [container[key]] * draw(st.integers(2, 70))
        case _:
            container[key] = {
                "a": container[key],
                **(container[key] if isinstance(container[key], dict) else {}),
            }

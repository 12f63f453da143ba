"""Behaviours are read from model names and JSON, and anything else is refused at once."""

from __future__ import annotations

import pytest

from tests.support.behaviour import (
    Behaviour,
    Dialect,
    Fault,
    behaviour_from_dict,
    behaviour_from_model_name,
)

NAMES = {
    "a plain name asks for nothing": ("qwen3-32b", None),
    "a name with a tag asks for nothing": ("qwen3:32b", None),
    "a fault by itself": ("rate-limited", Behaviour(Fault.RATE_LIMITED)),
    "a fault with a number": ("status:status-503", Behaviour(Fault.STATUS, status=503)),
    "a fault with a pause": ("ok:gap_seconds-0.25", Behaviour(gap_seconds=0.25)),
    "a fault with a flag": ("ok:role_chunk-false", Behaviour(role_chunk=False)),
    "a fault in someone's words": (
        "context-overflow:dialect-llama.cpp",
        Behaviour(Fault.CONTEXT_OVERFLOW, dialect=Dialect.LLAMA_CPP),
    ),
}


@pytest.mark.parametrize("name", NAMES)
def test_a_model_name_may_ask_for_a_behaviour(name: str) -> None:
    model, want = NAMES[name]
    assert behaviour_from_model_name(model, Behaviour()) == want


def test_a_behaviour_survives_its_json() -> None:
    behaviour = Behaviour(Fault.STATUS, dialect=Dialect.AZURE, status=429, message="no", gap_seconds=0.5)
    assert behaviour_from_dict(behaviour.as_dict()) == behaviour


@pytest.mark.parametrize(
    "data", [{"fautl": "ok"}, {"fault": "explode"}, {"chunks": 0}, {"hang_seconds": 6000}, {"chunks": "many"}]
)
def test_a_behaviour_that_makes_no_sense_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        behaviour_from_dict(data)

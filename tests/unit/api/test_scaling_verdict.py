"""What the autoscaler says is a condition, and none where somebody else scales."""

from typing import Any

import pytest

from pointsman.api.scaling_verdict import scaling_active
from tests.support.builders import deployment


def said(mode: str | None, **scaling: Any) -> tuple[str, str, str] | None:
    spec = {} if mode is None else {"scaling": {"mode": mode, "maxReplicas": 3}}
    found = deployment("m", spec=spec)
    if scaling:
        status = type(found.status).model_validate({"scaling": scaling})
        found = found.model_copy(update={"status": status})
    verdict = scaling_active(found)
    return None if verdict is None else (verdict.status.value, verdict.reason, verdict.message)


@pytest.mark.parametrize("mode", [None, "off"])
def test_where_somebody_else_scales_there_is_none(mode: str | None) -> None:
    assert said(mode, state="Active") is None


def test_an_autoscaler_that_was_never_heard_is_missed() -> None:
    verdict = said("active")
    assert verdict is not None
    assert verdict[:2] == ("Unknown", "NotHeard")


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("Active", "True"),
        ("Advising", "False"),
        ("MetricsBlind", "False"),
        ("NotDecided", "False"),
        ("Pinned", "Unknown"),
    ],
)
def test_each_state_is_said_in_its_own_words(state: str, status: str) -> None:
    assert said("active", state=state, message="why") == (status, state, "why")

"""`make sandbox-down` where there is nothing to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.cluster.sandbox import down


def test_one_that_is_elsewhere_is_not_said_to_be_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))

    said = CliRunner().invoke(down).output

    assert said.startswith(f"there is no sandbox in {tmp_path / 'pointsman' / 'sandbox'}; ")


def test_what_one_that_was_killed_left_is_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    left = tmp_path / "pointsman" / "sandbox"
    left.mkdir(parents=True)

    assert CliRunner().invoke(down).output == "the sandbox is gone\n"
    assert not left.exists()

"""Where weights go in these tests."""

from pathlib import Path

import pytest


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return tmp_path / "store" / "weights-1"

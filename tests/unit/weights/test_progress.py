"""A fetch says how far it is, and no more once it has ended."""

from pathlib import Path

from pointsman.weights.progress import arrived_bytes, told
from tests.support.polling import eventually


def test_it_is_told_while_it_lasts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"x" * 10)
    said: list[str] = []
    with told(tmp_path, said.append, 0.01):
        eventually(lambda: len(said) > 1, 30, "two lines")
    count = len(said)
    assert said[0] == "0.0 GB have arrived"
    assert arrived_bytes(tmp_path) == 10
    assert len(said) == count

"""State files that cannot be written for a while."""

import io
from pathlib import Path

import pytest

from pointsman.api import ObjectKey
from pointsman.local.display.terminal import Terminal
from pointsman.local.state import read_json, to_json, write_whole
from pointsman.local.status.keeping import Keeping


class Scene:
    """A folder that can be made to refuse files, and what is said."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "state"
        self._folder.mkdir()
        self._out = io.StringIO()
        self.keeping = Keeping(Terminal(self._out))

    @property
    def said(self) -> list[str]:
        return [line.split()[0] for line in self._out.getvalue().splitlines()]

    def seal(self) -> None:
        """Something else stands where the folder was: nobody can write there, not even root."""
        self._folder.rename(self._folder.with_name("away"))
        self._folder.touch()

    def unseal(self) -> None:
        self._folder.unlink()
        self._folder.with_name("away").rename(self._folder)

    def keep(self, name: str, content: int) -> None:
        path = self._folder / f"{name}.json"
        ident = ("Kind", ObjectKey("default", name))
        self.keeping.keep(ident, lambda: write_whole(path, to_json({"is": content})))

    def kept(self) -> dict[str, int]:
        return {path.stem: (read_json(path) or {})["is"] for path in self._folder.glob("*.json")}


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


def test_what_cannot_be_written_is_said_once_and_written_later(scene: Scene) -> None:
    scene.keep("a", 1)
    scene.seal()
    for turn in range(3):
        scene.keep("a", turn)
        scene.keep("b", turn)
        scene.keeping.again()
    assert scene.said == ["✗"]
    scene.unseal()
    assert scene.kept() == {"a": 1}
    scene.keeping.again()
    assert scene.kept() == {"a": 2, "b": 2}
    assert scene.said == ["✗", "✓"]
    assert not scene.keeping.has_waiting


def test_what_is_gone_meanwhile_is_not_written_later(scene: Scene) -> None:
    scene.seal()
    scene.keep("a", 1)
    scene.keep("b", 1)
    scene.keeping.forget_others({("Kind", ObjectKey("default", "b"))})
    scene.unseal()
    scene.keeping.again()
    assert scene.kept() == {"b": 1}


def test_names_of_files_that_are_no_text_can_be_kept(tmp_path: Path) -> None:
    path = tmp_path / "findings.json"
    write_whole(path, to_json({"file": "\udcff.yaml"}))
    assert read_json(path) == {"file": "\udcff.yaml"}

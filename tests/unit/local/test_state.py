"""The state folder."""

import multiprocessing
import os
import resource
import signal
from pathlib import Path

import pytest

from pointsman.errors import PointsmanError
from pointsman.local.state import (
    StateFolder,
    default_cache_path,
    default_state_path,
    read_json,
    to_json,
    write_whole,
)


def test_only_one_holds_the_folder_and_the_other_is_told_who(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with state.held():
        assert state.holder() == os.getpid()
        with (
            pytest.raises(PointsmanError, match=f"pid {os.getpid()}") as raised,
            StateFolder(state.path).held(),
        ):
            pass
        assert "--state-dir" in str(raised.value)
        # The refused one has taken nothing away from the first.
        state.write_up({"url": "http://127.0.0.1:1/v1"})
        assert state.read_up()["url"] == "http://127.0.0.1:1/v1"
    assert state.holder() is None
    assert state.read_up() == {}


def test_the_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    state = StateFolder(tmp_path)
    held = multiprocessing.get_context("fork").Event()

    def hold() -> None:
        with state.held():
            held.set()
            signal.pause()

    process = multiprocessing.get_context("fork").Process(target=hold)
    process.start()
    assert held.wait(30)
    assert state.holder() == process.pid
    process.kill()
    process.join(10)
    with state.held():
        assert state.holder() == os.getpid()


def test_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    state = StateFolder(tmp_path / "state")
    with state.held():
        assert state.path.stat().st_mode & 0o077 == 0
        assert state.logs.stat().st_mode & 0o077 == 0


def test_a_full_disk_is_one_line_and_leaves_the_former_content(tmp_path: Path) -> None:
    path = tmp_path / "object.json"
    write_whole(path, b"former")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # The kernel refuses to let a file grow past this limit, as it does when a disk is full.
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(PointsmanError, match="the disk is full") as raised:
            write_whole(path, b"x" * 1000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(raised.value)
    assert path.read_bytes() == b"former"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PointsmanError, match="--state-dir"), StateFolder(tmp_path / "file" / "state").held():
        pass


def test_what_is_no_document_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_json(path) is None
    path.write_text("{half")
    assert read_json(path) is None
    path.write_text("[]")
    assert read_json(path) is None


def test_equal_documents_are_equal_bytes() -> None:
    assert to_json({"a": 1, "b": "ä"}) == to_json({"b": "ä", "a": 1})


def test_default_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert default_state_path({}) == Path("/home/me/.local/state/pointsman/local")
    assert default_state_path({"XDG_STATE_HOME": "/s"}) == Path("/s/pointsman/local")
    assert default_cache_path({"XDG_CACHE_HOME": "/c"}) == Path("/c/pointsman")

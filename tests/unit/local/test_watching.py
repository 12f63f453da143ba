"""Noticing edits."""

from pathlib import Path

from pointsman.local.files.watching import SettledChanges, manifest_files


def test_manifests_are_found_below_folders_and_hidden_ones_are_not(tmp_path: Path) -> None:
    for name in ("a.yaml", "b/c.yml", "b/d.txt", ".hidden.yaml", ".git/e.yaml"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    single = tmp_path / "b" / "d.txt"
    found = [
        str(path.relative_to(tmp_path)) for path in manifest_files([tmp_path, single, tmp_path / "a.yaml"])
    ]
    assert found == ["a.yaml", "b/c.yml", "b/d.txt"]


class TestSettledChanges:
    def looked(self, changes: SettledChanges, folder: Path) -> list[str]:
        return [path.name for path in changes.look(manifest_files([folder]))]

    def test_an_edit_counts_when_it_has_settled(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_text("one")
        changes = SettledChanges()
        assert changes.first_look([path]) == [path]
        assert self.looked(changes, tmp_path) == []
        path.write_text("two two")
        assert self.looked(changes, tmp_path) == []
        assert self.looked(changes, tmp_path) == ["a.yaml"]
        assert self.looked(changes, tmp_path) == []

    def test_a_file_that_is_emptied_and_written_again_was_never_empty(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_text("one")
        changes = SettledChanges()
        changes.first_look([path])
        path.write_text("")
        assert self.looked(changes, tmp_path) == []
        path.write_text("two")
        assert self.looked(changes, tmp_path) == []
        assert self.looked(changes, tmp_path) == ["a.yaml"]

    def test_moved_away_and_replaced_is_one_edit_not_a_deletion(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_text("one")
        changes = SettledChanges()
        changes.first_look([path])
        path.rename(tmp_path / "a.yaml~")
        assert self.looked(changes, tmp_path) == []
        (tmp_path / "new").write_text("two")
        (tmp_path / "new").rename(path)
        assert self.looked(changes, tmp_path) == []
        assert self.looked(changes, tmp_path) == ["a.yaml"]

    def test_a_busy_file_holds_no_other_up(self, tmp_path: Path) -> None:
        busy, calm = tmp_path / "busy.yaml", tmp_path / "calm.yaml"
        changes = SettledChanges()
        changes.first_look([])
        calm.write_text("calm")
        for turn in range(4):
            busy.write_text("x" * turn)
            looked = self.looked(changes, tmp_path)
            assert looked == (["calm.yaml"] if turn == 1 else [])

    def test_gone_is_reported_once(self, tmp_path: Path) -> None:
        path = tmp_path / "a.yaml"
        path.write_text("one")
        changes = SettledChanges()
        changes.first_look([path])
        path.unlink()
        assert [self.looked(changes, tmp_path) for _ in range(3)] == [[], ["a.yaml"], []]

"""The files as the API: what is admitted, what stays when an edit is wrong."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from pointsman.api import ModelDeployment
from pointsman.errors import PointsmanError
from pointsman.local.files.folder import Folder, Objects
from tests.support import manifests
from tests.support.builders import key
from tests.support.privileges import bound_by_permissions

A = manifests.deployment("a", engine="llama.cpp", source="file://./a.gguf")
B = manifests.deployment("b", engine="llama.cpp", source="file://./b.gguf")
ROUTE = manifests.route("chat", ["a"])


class Files:
    """A folder of manifests, read as `up` reads it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.path = folder
        self.folder = Folder([folder], environment)

    def write(self, name: str, *documents: object) -> None:
        texts = [one if isinstance(one, str) else yaml.safe_dump(one) for one in documents]
        (self.path / name).write_text("---\n".join(texts))

    def settled(self) -> Objects | None:
        """What is stated after an edit has settled: it is looked at twice."""
        first = self.folder.refresh()
        return self.folder.refresh() if first is None else first


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path, {"OPENAI_API_KEY": "sk-from-environment"})


def changed(files: Files) -> Objects:
    objects = files.settled()
    assert objects is not None
    return objects


def last_change(files: Files) -> Objects:
    """What is stated once nothing changes any more."""
    looked = [files.folder.refresh() for _ in range(5)]
    assert looked[-2:] == [None, None]
    return [objects for objects in looked if objects is not None][-1]


def replicas(objects: Objects, name: str = "a") -> int:
    return objects.deployments[key(name)].spec.replicas


def edited(document: Mapping[str, object], **spec: object) -> dict[str, object]:
    return manifests.overlaid(document, {"spec": spec})


def test_everything_below_the_paths_is_read(files: Files) -> None:
    files.write("models.yaml", A, B)
    (files.path / "routes").mkdir()
    files.write("routes/chat.yml", ROUTE)
    objects = files.folder.read()
    assert set(objects.deployments) == {key("a"), key("b")}
    assert set(objects.routes) == {key("chat")}
    assert objects.beside[key("a")] == files.path
    assert [finding for finding in objects.findings if finding.is_error] == []
    assert files.settled() is None


def test_a_path_that_does_not_exist_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PointsmanError, match="no such file or folder"):
        Folder([tmp_path / "missing"], {}).read()


def test_an_edit_is_taken_and_the_rest_stays_the_same_object(files: Files) -> None:
    files.write("a.yaml", A)
    files.write("b.yaml", B)
    before = files.folder.read()
    files.write("a.yaml", edited(A, replicas=3))
    after = changed(files)
    assert replicas(after) == 3
    assert after.deployments[key("b")] is before.deployments[key("b")]


def test_an_object_whose_text_only_moved_stays_the_same_object(files: Files) -> None:
    files.write("a.yaml", A, B)
    before = files.folder.read()
    files.write("a.yaml", "# a comment\n" + yaml.safe_dump(A), edited(B, replicas=2))
    after = changed(files)
    assert after.deployments[key("a")] is before.deployments[key("a")]
    assert replicas(after, "b") == 2


BROKEN_EDITS = {
    "syntax": "spec: [",
    "an unknown field": yaml.safe_dump(edited(A, replica=2)),
    "a wrong type": yaml.safe_dump(edited(A, replicas="many")),
    "an unknown kind": yaml.safe_dump({**A, "kind": "ModelDeploymnt"}),
    "a field that local mode cannot act upon": yaml.safe_dump(edited(A, engine={"name": "vllm"})),
}


@pytest.mark.parametrize("text", BROKEN_EDITS.values(), ids=BROKEN_EDITS.keys())
def test_a_broken_edit_keeps_the_former_version_and_is_found(files: Files, text: str) -> None:
    files.write("a.yaml", A)
    before = files.folder.read()
    files.write("a.yaml", text)
    after = changed(files)
    assert after.deployments[key("a")] is before.deployments[key("a")]
    assert any(finding.is_error and finding.file.endswith("a.yaml") for finding in after.findings)
    assert after.refused[("ModelDeployment", key("a"))].is_error
    files.write("a.yaml", edited(A, replicas=2))
    repaired = changed(files)
    assert replicas(repaired) == 2
    assert repaired.refused == {}


def test_a_mistake_in_one_document_does_not_hold_the_others_up(files: Files) -> None:
    files.write("all.yaml", A, B)
    files.folder.read()
    files.write("all.yaml", edited(A, replicas="many"), edited(B, replicas=4))
    after = changed(files)
    assert (replicas(after, "a"), replicas(after, "b")) == (1, 4)


def test_a_route_to_a_deployment_that_does_not_exist_keeps_its_former_version(files: Files) -> None:
    files.write("a.yaml", A)
    files.write("route.yaml", ROUTE)
    before = files.folder.read()
    files.write("route.yaml", manifests.route("chat", ["aa"]))
    after = changed(files)
    assert after.routes[key("chat")] is before.routes[key("chat")]
    assert "aa" in after.refused[("ModelRoute", key("chat"))].text()
    files.write("aa.yaml", manifests.deployment("aa", engine="llama.cpp", source="file://./a.gguf"))
    assert changed(files).routes[key("chat")].spec.rules[0].targets[0].deployment == "aa"


def test_removing_a_file_removes_its_objects(files: Files) -> None:
    files.write("a.yaml", A)
    files.write("b.yaml", B)
    files.write("route.yaml", ROUTE)
    files.folder.read()
    (files.path / "b.yaml").unlink()
    assert set(changed(files).deployments) == {key("a")}
    (files.path / "a.yaml").unlink()
    after = changed(files)
    assert after.deployments == {}
    # The route still stands in its file: it keeps what it said, and says what is missing.
    assert set(after.routes) == {key("chat")}


def test_taking_a_document_out_of_a_file_removes_its_object(files: Files) -> None:
    files.write("all.yaml", A, B)
    files.folder.read()
    files.write("all.yaml", A)
    assert set(changed(files).deployments) == {key("a")}


def test_of_two_objects_with_one_name_the_first_counts(files: Files) -> None:
    files.write("1.yaml", A)
    files.write("2.yaml", edited(A, replicas=2))
    objects = files.folder.read()
    assert replicas(objects) == 1
    assert any("given twice" in finding.what for finding in objects.findings)


def test_what_is_wrong_from_the_start_is_not_admitted(files: Files) -> None:
    files.write("a.yaml", edited(A, replicas="many"))
    objects = files.folder.read()
    assert objects.deployments == {}
    assert len(objects.findings) == 1


def test_bytes_that_are_no_text_are_a_finding(files: Files) -> None:
    files.write("a.yaml", A)
    files.folder.read()
    (files.path / "a.yaml").write_bytes(b"\xff\xfe\x00")
    after = changed(files)
    assert replicas(after) == 1
    assert "not UTF-8" in after.findings[0].what


class TestSecrets:
    def test_values_come_from_the_manifest_the_environment_and_files(self, files: Files) -> None:
        (files.path / "token.txt").write_text("from-file\n")
        environment, kept = {"api-key": "OPENAI_API_KEY"}, {"token": "./token.txt"}
        files.write("s.yaml", manifests.secret("s", {"plain": "x"}, environment=environment, files=kept))
        secret = files.folder.read().secrets[key("s")]
        assert secret.value("plain") == b"x"
        assert secret.value("api-key") == b"sk-from-environment"
        assert secret.value("token") == b"from-file"

    def test_a_missing_variable_and_a_missing_file_are_findings(self, files: Files) -> None:
        environment, kept = {"a": "NO_SUCH_VARIABLE"}, {"b": "./none"}
        files.write("s.yaml", manifests.secret("s", environment=environment, files=kept))
        objects = files.folder.read()
        assert objects.secrets[key("s")].value("a") is None
        told = " | ".join(finding.text() for finding in objects.findings)
        assert "NO_SUCH_VARIABLE is not set" in told
        assert "none cannot be read" in told

    def test_files_of_secrets_are_watched(self, files: Files) -> None:
        path = files.path / "key.txt"
        path.write_text("one")
        files.write("s.yaml", manifests.secret("s", files={"k": "./key.txt"}))
        assert files.folder.read().secrets[key("s")].value("k") == b"one"
        files.settled()
        path.write_text("changed")
        assert changed(files).secrets[key("s")].value("k") == b"changed"
        path.unlink()
        assert changed(files).secrets[key("s")].value("k") is None

    def test_no_value_is_in_what_is_found_or_shown(self, files: Files) -> None:
        files.write("s.yaml", manifests.secret("s", {"k": "hush-hush"}))
        files.write("t.yaml", {**manifests.secret("t", {"k": "hush-hush"}), "extra": 1})
        objects = files.folder.read()
        assert "hush-hush" not in repr(objects)
        assert "hush-hush" not in " ".join(finding.text() for finding in objects.findings)


def test_admitted_objects_are_models(files: Files) -> None:
    files.write("a.yaml", A)
    assert isinstance(files.folder.read().deployments[key("a")], ModelDeployment)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(os.path.relpath(path))


NO_FILES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a named pipe": (os.mkfifo, "not a regular file; remove or replace it"),
    "a socket": (_socket, "not a regular file; remove or replace it"),
    "a device": (lambda path: path.symlink_to("/dev/zero"), "not a regular file; remove or replace it"),
    "a folder": (lambda path: path.mkdir(), "not a regular file; remove or replace it"),
    "a link to nothing": (lambda path: path.symlink_to("gone"), "cannot be read (No such file or directory)"),
    "an empty file": (lambda path: path.touch(), "has become empty; what it stated stays"),
}


@pytest.mark.parametrize(("make", "says"), NO_FILES.values(), ids=NO_FILES.keys())
def test_what_takes_a_files_place_changes_nothing_and_is_told(
    files: Files, make: Callable[[Path], None], says: str
) -> None:
    files.write("a.yaml", A)
    files.folder.read()
    path = files.path / "a.yaml"
    path.unlink()
    make(path)
    objects = changed(files)
    assert replicas(objects) == 1
    (finding,) = objects.findings
    assert finding.text().startswith(f"{path}: ")
    assert says in finding.text()
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink()
    assert changed(files).deployments == {}


def test_a_folder_that_may_not_be_entered_keeps_what_it_stated_and_is_told(files: Files) -> None:
    files.write("b.yaml", B)
    sub = files.path / "sub"
    sub.mkdir()
    files.write("sub/a.yaml", A)
    before = files.folder.read()
    with bound_by_permissions():
        sub.chmod(0)
        try:
            sealed = last_change(files)
            files.write("b.yaml", edited(B, replicas=2))
            edited_beside = last_change(files)
        finally:
            sub.chmod(0o700)
        opened = last_change(files)
    for objects in (sealed, edited_beside, opened):
        assert objects.deployments[key("a")] is before.deployments[key("a")]
    assert any(
        finding.text().startswith(f"{sub}: cannot be listed (Permission denied)")
        for finding in sealed.findings
    )
    assert replicas(edited_beside, "b") == 2
    assert opened.findings == before.findings


def test_a_folder_that_may_not_be_entered_from_the_start_is_told_and_read_later(files: Files) -> None:
    sub = files.path / "sub"
    sub.mkdir()
    files.write("sub/a.yaml", A)
    sub.chmod(0)
    with bound_by_permissions():
        try:
            (finding,) = files.folder.read().findings
        finally:
            sub.chmod(0o700)
    assert finding.what == "cannot be listed (Permission denied)"
    opened = last_change(files)
    assert replicas(opened) == 1
    assert opened.findings == ()


UNUSABLE_FILES = {
    "the home of nobody": "~no-such-user/key",
    "a name with a NUL": "a\0b",
    "a name that is too long": "k" * 300,
}


@pytest.mark.parametrize("name", UNUSABLE_FILES.values(), ids=UNUSABLE_FILES.keys())
def test_a_file_of_a_secret_that_cannot_be_is_a_finding(files: Files, name: str) -> None:
    files.write("s.yaml", manifests.secret("s", files={"k": name}))
    (finding,) = files.folder.read().findings
    assert "cannot be read" in finding.what
    assert files.settled() is None


def test_a_path_that_is_too_long_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PointsmanError, match="cannot be read \\(File name too long\\)"):
        Folder([tmp_path / ("x" * 300)], {}).read()


def test_what_is_no_file_is_skipped_at_the_start(files: Files) -> None:
    os.mkfifo(files.path / "pipe.yaml")
    files.write("a.yaml", A)
    objects = files.folder.read()
    assert replicas(objects) == 1
    assert [finding.what for finding in objects.findings] == ["not a regular file"]


def test_the_file_of_a_secret_that_is_a_pipe_is_not_waited_for(files: Files) -> None:
    os.mkfifo(files.path / "key")
    annotations = {"pointsman.dev/file.token": "key"}
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "annotations": annotations}}
    files.write("secret.yaml", secret)
    (finding,) = files.folder.read().findings
    assert "not a regular file" in finding.text()

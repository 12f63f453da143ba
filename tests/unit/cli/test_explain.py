"""`pointsman explain` over a state folder that something else has written."""

from pathlib import Path

import pytest

from pointsman.cli.main import main
from pointsman.local.state import StateFolder, to_json, write_whole
from tests.support import manifests


@pytest.mark.parametrize("what", ["modelroute/chat", "modeldeployment/small"])
def test_an_object_that_this_version_cannot_read_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    state = StateFolder(tmp_path)
    for document in (
        manifests.deployment("small", engine="llama.cpp"),
        {**manifests.route("chat", ["small"]), "spec": {"models": "of another version"}},
    ):
        path = state.object_path(document["kind"], "default", document["metadata"]["name"])
        write_whole(path, to_json(document))
    assert main(["explain", what, f"--state-dir={tmp_path}"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == (
        "modelroute/chat: was written by another version of Pointsman, or damaged; start `pointsman up` again"
    )

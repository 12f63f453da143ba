"""`pointsman get`, run as a person runs it over what an `up` has left: words, streams, codes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.cli.main import main
from pointsman.local.state import StateFolder, to_json, write_whole
from tests.support import manifests
from tests.support.polling import eventually

ENDED = "`pointsman up` does not run on {path}; what follows is how it was when it ended\n"


def keep(state: StateFolder, document: dict[str, Any]) -> None:
    metadata = document["metadata"]
    path = state.object_path(document["kind"], metadata.get("namespace", "default"), metadata["name"])
    write_whole(path, to_json(document))


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path)
    keep(state, manifests.deployment("small", engine="llama.cpp"))
    keep(state, manifests.route("chat", ["small"]))
    return state


def get(capsys: pytest.CaptureFixture[str], state: StateFolder, *arguments: str) -> tuple[int, str, str]:
    code = main(["get", *arguments, f"--state-dir={state.path}"])
    said = capsys.readouterr()
    return code, said.out, said.err.replace(ENDED.format(path=state.path), "")


@pytest.mark.parametrize("what", ["/x", "pmd/", "all/small", "pointsman/small", "/"])
def test_half_a_name_is_no_selection(
    state: StateFolder, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    said = f'"{what}" names no object; write KIND/NAME, such as modelroute/chat\n'
    assert get(capsys, state, what) == (1, "", said)


def test_nothing_found_is_no_error_and_no_output(
    state: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert get(capsys, state, "pgp") == (0, "", "nothing is there\n")
    said = "nothing is in namespace nope; see namespace default\n"
    assert get(capsys, state, "-n", "nope") == (0, "", said)
    keep(state, manifests.deployment("b", namespace="a", engine="llama.cpp"))
    said = "nothing is in namespace nope; see namespaces a, default\n"
    assert get(capsys, state, "-n", "nope") == (0, "", said)


def test_a_name_that_is_not_there_is_an_error(state: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    said = "there is no modeldeployment smal; see: pointsman get modeldeployment\n"
    assert get(capsys, state, "pmd/smal") == (1, "", said)
    said = "there is no guardrailpolicy house; see: pointsman get guardrailpolicy\n"
    assert get(capsys, state, "pgp/house", "-n", "default") == (1, "", said)


def test_a_folder_that_no_up_has_used_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = get(capsys, StateFolder(tmp_path / "new"))
    assert (code, out) == (0, "")
    assert err == f"`pointsman up` does not run on {tmp_path / 'new'} and has left nothing there\n"


def test_json_is_a_list_or_the_object_that_was_named(
    state: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = get(capsys, state, "-o", "json")
    assert [(item["kind"], item["metadata"]["name"]) for item in json.loads(out)["items"]] == [
        ("ModelDeployment", "small"),
        ("ModelRoute", "chat"),
    ]
    _, out, _ = get(capsys, state, "pmr/chat", "-o", "json")
    assert json.loads(out)["kind"] == "ModelRoute"
    _, out, _ = get(capsys, state, "-n", "nope", "-o", "json")
    assert json.loads(out) == {"apiVersion": "v1", "kind": "List", "items": []}


@pytest.fixture
def watching(state: StateFolder, tmp_path: Path) -> Iterator[Path]:
    """What `get pmr/chat -o yaml -w` prints, as a file that grows."""
    command = [sys.executable, "-m", "pointsman.cli.main", "get", "pmr/chat", "-o", "yaml", "-w"]
    printed = tmp_path / "printed"
    with printed.open("wb") as out:
        process = subprocess.Popen(
            [*command, f"--state-dir={state.path}"], stdout=out, stderr=subprocess.DEVNULL
        )
        try:
            yield printed
        finally:
            process.kill()
            process.wait()


def test_watching_prints_each_change_as_a_document(state: StateFolder, watching: Path) -> None:
    def is_printed(line: str) -> bool:
        return f"{line}\n" in watching.read_text()

    eventually(lambda: is_printed("kind: ModelRoute"), 30, "the object is printed")
    urls = [f"http://127.0.0.1:{port}/v1" for port in (1, 2)]
    for url in urls:
        keep(state, {**manifests.route("chat", ["small"]), "status": {"url": url}})
        eventually(partial(is_printed, f"  url: {url}"), 30, f"{url} is printed")
    printed = list(yaml.safe_load_all(watching.read_text()))
    assert [document.get("status", {}).get("url") for document in printed] == [None, *urls]

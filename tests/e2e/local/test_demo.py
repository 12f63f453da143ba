"""`pointsman demo` does what it shows."""

import os
import shutil
import subprocess
from pathlib import Path

from pointsman.local.demonstration import next_steps
from pointsman.local.state import StateFolder
from tests.e2e.local.running_up import assert_no_engine_left, pointsman
from tests.support.polling import eventually
from tests.support.processes import REPOSITORY, StartedProcess, assert_none_left


def test_the_demo_asks_kills_asks_again_and_ends_by_itself(tmp_path: Path, cache: Path) -> None:
    environment = {**os.environ, "DEMO_ONCE": "1", "XDG_CACHE_HOME": str(cache)}
    command = pointsman("demo", "examples/quickstart", "--state-dir", str(tmp_path))
    ran = subprocess.run(
        command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=150
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stderr == ""
    shown = [
        "weights",
        "chat-primary",
        "chat-backup",
        "route chat",
        "you  › What is the capital of France?",
        "Paris.",
        "(chat-primary, first token",
        "killing chat-primary's engines …",
        "you  › How many legs has a cat?",
        "(chat-backup, after",
        "chat-primary is ready again after",
    ]
    places = [ran.stdout.find(text) for text in shown]
    assert -1 not in places, f"{shown[places.index(-1)]} is missing in\n{ran.stdout}"
    assert places[4:] == sorted(places[4:]), ran.stdout
    assert "Next:" not in ran.stdout
    assert "Ctrl-C" not in ran.stdout
    assert_none_left(str(tmp_path))
    assert_no_engine_left(tmp_path)


def test_replicas_follow_the_load_in_the_demo_too(tmp_path: Path, cache: Path) -> None:
    manifests = shutil.copytree(REPOSITORY / "examples/quickstart", tmp_path / "manifests")
    stated = (manifests / "deployments.yaml").read_text()
    scaling = "  scaling: {minReplicas: 1, maxReplicas: 2}\n"
    (manifests / "deployments.yaml").write_text(stated.replace("  replicas: 2\n", scaling))
    state = StateFolder(tmp_path / "state")

    def heard() -> bool:
        conditions = [
            condition
            for one in state.objects("ModelDeployment")
            for condition in one.get("status", {}).get("conditions", ())
            if condition["type"] == "ScalingActive"
        ]
        return any(condition["reason"] != "NotHeard" for condition in conditions)

    command = pointsman("demo", str(manifests), "--state-dir", str(state.path))
    with StartedProcess(command, env={"XDG_CACHE_HOME": str(cache)}):
        eventually(heard, 120, "the autoscaler has said something")
    assert_no_engine_left(state.path)


def test_what_to_try_next_works_as_printed(tmp_path: Path) -> None:
    steps = next_steps("http://127.0.0.1:8080/v1", tmp_path, "chat", "chat-primary").splitlines()
    begin, end = steps.index("python - <<'END'        # needs: pip install openai"), steps.index("END")
    compile("\n".join(steps[begin + 1 : end]), "shown", "exec")
    shell = "\n".join(steps[steps.index(" Next:") + 1 : end + 1])
    subprocess.run(["bash", "-n"], input=shell, text=True, check=True)


def test_a_quickstart_that_is_not_there_ends_with_one_line(tmp_path: Path) -> None:
    environment = {**os.environ, "DEMO_ONCE": "1"}
    command = pointsman("demo", "no/such/folder", "--state-dir", str(tmp_path))
    ran = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1].startswith("no/such/folder: no such file or folder")

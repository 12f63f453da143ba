"""`pointsman validate`, run as a person runs it: its output, its last line, its exit code."""

import json
import os
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from pointsman.api.documents import LARGEST_CHARACTERS
from pointsman.cli.main import main
from tests.support.api_samples import SECRET_VALUE

ROOT = Path(__file__).parents[3]

DEPLOYMENT = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: small, namespace: chat}
spec:
  dataClasses: [public]
  model: {source: "hf://a/b", revision: abc}
  engine: {name: llama.cpp}
"""
ROUTE = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelRoute
metadata: {name: chat, namespace: chat}
spec:
  models: [chat]
  rules:
  - targets: [{deployment: small}]
  authentication: {anonymous: true}
"""


@dataclass(frozen=True)
class Run:
    code: int
    lines: list[str]
    errors: str


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def validate(capsys: pytest.CaptureFixture[str], *arguments: str) -> Run:
    code = main(["validate", *arguments])
    said = capsys.readouterr()
    return Run(code, said.out.splitlines(), said.err)


def test_files_without_a_mistake_exit_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(DEPLOYMENT)
    (folder / "below").mkdir()
    (folder / "below" / "b.yml").write_text(ROUTE)
    (folder / "notes.txt").write_text("no YAML: at: all")
    assert validate(capsys, ".") == Run(0, ["0 errors, 0 warnings in 2 files"], "")


def test_the_examples_are_valid_everywhere_they_can_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "as examples/hosted says")
    for folder in (ROOT / "examples").iterdir():
        # One of those is refused by the policies beside it, on purpose: tests/unit/cli/test_policy.py.
        if folder.name != "compliance":
            assert validate(capsys, str(folder), "--for", "any").code == 0
    for name in ("quickstart", "hosted"):
        assert validate(capsys, str(ROOT / "examples" / name), "--for", "local").code == 0
    for name in ("quickstart", "autoscaling"):
        assert validate(capsys, str(ROOT / "examples" / name), "--for", "cluster").code == 0


def test_a_finding_is_one_line_and_the_last_line_counts(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text(DEPLOYMENT.replace("revision", "revison"))
    (folder / "b.yaml").write_text(ROUTE.replace("anonymous: true", "anonymous: false"))
    run = validate(capsys, "a.yaml", "b.yaml")
    assert run == Run(
        1,
        [
            "a.yaml:6: ModelDeployment chat/small: spec.model.revison: unknown field; "
            'did you mean "revision"?',
            "b.yaml:8: ModelRoute chat/chat: spec.authentication: exactly one of apiKeys, jwt and "
            "anonymous: true must be given; state how clients are known, or anonymous: true for everyone",
            "2 errors, 0 warnings in 2 files",
        ],
        "",
    )


def test_a_rule_of_a_pack_is_named_at_the_end(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "all.yaml").write_text(f"{DEPLOYMENT}---\n{ROUTE}  dataClass: internal\n")
    assert validate(capsys, "all.yaml").lines == [
        "all.yaml:15: ModelRoute chat/chat: spec.rules[0].targets[0]: small may receive [public], the route "
        'carries "internal"; choose another target or change dataClass [RES-03]',
        "1 error, 0 warnings in 1 file",
    ]


def test_warnings_exit_0(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    without = ROUTE.replace("  authentication: {anonymous: true}\n", "")
    (folder / "all.yaml").write_text(f"{DEPLOYMENT}---\n{without}")
    run = validate(capsys, "all.yaml")
    assert run.code == 0
    assert run.lines[0].startswith(
        "all.yaml:12: warning: ModelRoute chat/chat: spec.authentication: nobody may call"
    )
    assert run.lines[-1] == "0 errors, 1 warning in 1 file"


def test_an_argument_that_a_field_sets_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DEPLOYMENT.replace("name: llama.cpp", "name: llama.cpp, args: [--temp, '0', --port=1234]")
    (folder / "a.yaml").write_text(text)
    run = validate(capsys, "a.yaml")
    assert run.code == 1
    assert "spec.engine.args[2]: --port is set by Pointsman; " in run.lines[0]


def test_json_has_stable_keys(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_text(DEPLOYMENT.replace("revision", "revison"))
    run = validate(capsys, "a.yaml", "-o", "json")
    assert run.code == 1
    assert json.loads("\n".join(run.lines)) == {
        "findings": [
            {
                "severity": "error",
                "file": "a.yaml",
                "line": 6,
                "kind": "ModelDeployment",
                "namespace": "chat",
                "name": "small",
                "path": "spec.model.revison",
                "what": "unknown field",
                "todo": 'did you mean "revision"?',
                "ruleId": "",
            }
        ],
        "errors": 1,
        "warnings": 0,
        "files": 1,
    }


def test_a_path_that_cannot_be_read_exits_2_and_the_others_are_checked(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text(DEPLOYMENT)
    (folder / "empty").mkdir()
    run = validate(capsys, "a.yaml", "missing.yaml", "empty")
    assert (run.code, run.lines) == (2, ["0 errors, 0 warnings in 1 file"])
    assert "missing.yaml: No such file or directory" in run.errors
    assert "empty: has no file that ends in .yaml or .yml" in run.errors


def test_a_folder_that_cannot_be_listed_is_not_passed_over(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text(DEPLOYMENT)
    # Too deep to be named, which is an error for root too.
    for _ in range(20):
        os.mkdir("x" * 250)
        os.chdir("x" * 250)
    os.chdir(folder)
    run = validate(capsys, ".")
    assert (run.code, run.lines) == (2, ["0 errors, 0 warnings in 1 file"])
    assert run.errors.endswith(": File name too long\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a: \xff\n", "a.yaml:1: not Unicode text; save it as UTF-8"),
        (b"# ok\n" * 3 + b"a: \xc3(\n", "a.yaml:4: not Unicode text; save it as UTF-8"),
        (b"#" * (LARGEST_CHARACTERS + 1), "a.yaml:1: the file is larger than 3 MiB; split it"),
        (b"a: \x00\n", "a.yaml:1: a control character has no place in YAML; remove it"),
    ],
    ids=["no UTF-8", "no UTF-8 later", "too large", "NUL"],
)
def test_a_file_that_is_no_yaml_text_is_one_finding(
    folder: Path, capsys: pytest.CaptureFixture[str], content: bytes, said: str
) -> None:
    (folder / "a.yaml").write_bytes(content)
    assert validate(capsys, "a.yaml") == Run(1, [said, "1 error, 0 warnings in 1 file"], "")


def test_a_byte_order_mark_is_no_mistake(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.yaml").write_bytes(b"\xef\xbb\xbf" + DEPLOYMENT.encode())
    assert validate(capsys, "a.yaml").code == 0


def test_standard_input_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"kind: [\n")))
    run = validate(capsys, "-")
    assert run.code == 1
    assert run.lines[0].startswith("(standard input):1: not YAML: ")


ON_AN_ABACUS = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: small, namespace: chat}
spec:
  model: {source: "hf://a/b"}
  engine: {name: vllm}
  hardware:
    accelerators: [abacus]
"""


def test_an_accelerator_is_unknown_only_where_the_fleet_settings_are_known(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.yaml").write_text(ON_AN_ABACUS)
    warned = (
        "a.yaml:5: warning: ModelDeployment chat/small: spec.model.revision: the commit is the one of the "
    )
    run = validate(capsys, "a.yaml", "--for", "cluster")
    assert [line.startswith(warned) for line in run.lines] == [True, False]
    (folder / "fleet.yaml").write_text("currency: EUR\n")
    run = validate(capsys, ".", "--for", "cluster")
    assert run.lines[1] == (
        "a.yaml:8: ModelDeployment chat/small: spec.hardware.accelerators[0]: abacus is no accelerator that "
        "the catalogue knows; state its facts in the fleet settings"
    )


@dataclass(frozen=True)
class ForCase:
    text: str
    want: dict[str, int]


FOR_CASES = {
    "an argument that local mode cannot pass": ForCase(
        DEPLOYMENT.replace("name: llama.cpp", "name: llama.cpp, args: [--no-such-argument]"),
        {"any": 0, "local": 1, "cluster": 0},
    ),
    "an argument without its value": ForCase(
        DEPLOYMENT.replace("name: llama.cpp", "name: llama.cpp, args: [--temp]"),
        {"any": 0, "local": 1, "cluster": 0},
    ),
    "a source that names no repository": ForCase(
        DEPLOYMENT.replace("hf://a/b", "hf://a"), {"any": 0, "local": 1, "cluster": 0}
    ),
    "an engine that only a cluster runs": ForCase(
        DEPLOYMENT.replace("llama.cpp", "vllm"), {"any": 0, "local": 1, "cluster": 0}
    ),
    "a source of this machine": ForCase(
        DEPLOYMENT.replace("hf://a/b", "file:///a.gguf"), {"any": 0, "local": 0, "cluster": 1}
    ),
    "a task that the engine cannot do": ForCase(
        DEPLOYMENT + "  tasks: [speech]\n", {"any": 1, "local": 1, "cluster": 1}
    ),
    "what pods cannot be": ForCase(
        DEPLOYMENT + "  template: {labels: {pointsman.dev/pool: mine}}\n",
        {"any": 1, "local": 1, "cluster": 1},
    ),
    "a group that does not divide the model's heads": ForCase(
        DEPLOYMENT.replace("llama.cpp", "vllm").replace("a/b", "Qwen/Qwen3-8B")
        + "  hardware: {parallelism: {tensor: 3}}\n",
        {"any": 1, "local": 1, "cluster": 1},
    ),
    "weights that may move under pods": ForCase(
        DEPLOYMENT.replace(", revision: abc", ""), {"any": 0, "local": 0, "cluster": 0}
    ),
    "what nothing can do yet": ForCase(
        DEPLOYMENT + "  allowedRoutes: {namespaces: All}\n", {"any": 1, "local": 1, "cluster": 1}
    ),
}


def test_what_a_check_says_of_a_field_is_not_said_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DEPLOYMENT.replace("name: llama.cpp", "name: llama.cpp, args: [--port=1, --no-such-argument]")
    (folder / "a.yaml").write_text(text.replace("hf://", "s3://"))
    run = validate(capsys, "a.yaml", "--for", "local")
    assert run.lines[-1] == "2 errors, 0 warnings in 1 file"


@pytest.mark.parametrize("case", FOR_CASES.values(), ids=FOR_CASES.keys())
def test_it_can_be_asked_for_local_mode_or_a_cluster(
    folder: Path, capsys: pytest.CaptureFixture[str], case: ForCase
) -> None:
    (folder / "a.yaml").write_text(case.text)
    assert {mode: validate(capsys, "a.yaml", "--for", mode).code for mode in case.want} == case.want


HOSTED = """\
apiVersion: pointsman.dev/v1alpha1
kind: ModelDeployment
metadata: {name: big, namespace: chat}
spec:
  hosted:
    provider: openai
    baseURL: https://api.openai.com/v1
    model: gpt-5-mini
    credentials: {secretRef: {name: openai, key: api-key}}
---
apiVersion: v1
kind: Secret
metadata:
  name: openai
  namespace: chat
  annotations:
    pointsman.dev/SOURCE
    pointsman.dev/allowed-hosts: api.openai.com
"""


@dataclass(frozen=True)
class SourceCase:
    source: str
    want: str
    """What is found, without file, line and object; empty if nothing is."""


SOURCES = {
    "a file that is there": SourceCase("file.api-key: ./openai.key", ""),
    "a file that is not": SourceCase(
        "file.api-key: ./missing.key",
        'metadata.annotations["pointsman.dev/file.api-key"]: deploy/missing.key cannot be read '
        "(No such file or directory); write the value into it; it is read again by itself",
    ),
    "a variable that is set": SourceCase("env.api-key: KEY_OF_A_TEST", ""),
    "a variable that is not": SourceCase(
        "env.api-key: NO_KEY_OF_A_TEST",
        'metadata.annotations["pointsman.dev/env.api-key"]: the environment variable NO_KEY_OF_A_TEST is not '
        "set; export NO_KEY_OF_A_TEST and start again, or use a file",
    ),
}


@pytest.mark.parametrize("case", SOURCES.values(), ids=SOURCES.keys())
def test_a_key_whose_source_is_missing_is_found_as_up_finds_it(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, case: SourceCase
) -> None:
    monkeypatch.setenv("KEY_OF_A_TEST", SECRET_VALUE)
    monkeypatch.delenv("NO_KEY_OF_A_TEST", raising=False)
    (folder / "deploy").mkdir()
    (folder / "deploy" / "openai.key").write_text(SECRET_VALUE + "\n")
    (folder / "deploy" / "a.yaml").write_text(HOSTED.replace("SOURCE", case.source))
    place = "deploy/a.yaml:17: "
    for mode, code, severity in (("local", 1, ""), ("any", 0, "warning: ")):
        run = validate(capsys, "deploy", "--for", mode)
        want = [f"{place}{severity}Secret chat/openai: {case.want}"] if case.want else []
        assert run.lines[:-1] == want
        assert run.code == (code if case.want else 0)
        assert SECRET_VALUE not in run.errors + "".join(run.lines)


def test_a_cluster_does_not_read_the_sources_of_local_mode(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "openai.key").write_text(SECRET_VALUE)
    (folder / "a.yaml").write_text(HOSTED.replace("SOURCE", "file.api-key: ./openai.key"))
    run = validate(capsys, "a.yaml", "--for", "cluster")
    assert run.code == 1
    assert run.lines[0] == (
        "a.yaml:9: ModelDeployment chat/big: spec.hosted.credentials.secretRef.key: Secret chat/openai has "
        'no key "api-key" in a cluster, which does not read '
        "pointsman.dev/file.api-key; write the value under data"
    )

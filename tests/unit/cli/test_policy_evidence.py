"""Reports and records from the command line; the page about policies is held to what is printed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.cli.main import main

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples" / "compliance"
MODELS = str(EXAMPLE / "models")
POLICIES = ["--policies", str(EXAMPLE / "policies")]

Captured = pytest.CaptureFixture[str]


def test_the_page_shows_what_a_report_prints(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "operator/docs/policies.md").read_text("utf-8")
    shown = page.partition("$ pointsman policy report ")[2].partition("```")[0]
    command, _, expected = shown.partition("\n")

    assert main(["policy", "report", *command.split()]) == 0

    assert capsys.readouterr().out == expected
    assert "eu-ai-act" in command


def test_an_exception_that_counts_is_said_until_it_ends(tmp_path: Path, capsys: Captured) -> None:
    old = (EXAMPLE / "models/refused.yaml").read_text("utf-8")
    file = tmp_path / "old.yaml"
    file.write_text(old.replace("name: chat, namespace: team-a", "name: old-model, namespace: lab"))
    command = ["policy", "report", str(file), *POLICIES, "--framework", "owasp-llm-2025", "--at"]

    assert main([*command, "2026-12-01T08:00:00Z"]) == 0
    live = capsys.readouterr().out
    assert "1 exempt: ModelDeployment lab/old-model (EXC-12 until 2027-01-31T00:00:00Z" in live
    assert "(SUP-06, lab/old-model, ends in 60 days, approved by security)" in live

    assert main([*command, "2027-02-01"]) == 0
    ended = capsys.readouterr().out
    assert "EXC-12" not in ended
    assert "SUP-06 0 of 1 pass; 1 fails: ModelDeployment lab/old-model" in " ".join(ended.split())


def test_a_report_without_objects_passes_nothing(capsys: Captured) -> None:
    assert main(["policy", "report", str(EXAMPLE / "policies"), "-o", "json"]) == 0
    states = {
        control["state"]
        for framework in json.loads(capsys.readouterr().out)["frameworks"]
        for control in framework["controls"]
    }
    assert states == {"no evidence", "not enforced"}


@pytest.mark.parametrize(
    ("output", "begins"),
    [
        ("markdown", "# Compliance report"),
        ("html", "<!doctype html>"),
        ("oscal", '{\n  "assessment-results"'),
    ],
)
def test_a_report_is_written_for_its_reader(output: str, begins: str, capsys: Captured) -> None:
    assert main(["policy", "report", MODELS, *POLICIES, "-o", output]) == 0
    assert capsys.readouterr().out.startswith(begins)


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        ([MODELS], 1, "there is no GuardrailPolicy to judge by; name where it is with --policies"),
        ([MODELS, *POLICIES, "--framework", "iso"], 1, "there is no framework iso; there are cis-kubernetes"),
        ([MODELS, *POLICIES, "--at", "soon"], 2, '"soon" is no time such as'),
        ([MODELS, *POLICIES, "--at", "0001-01-01T00:00:00+14:00"], 2, '+14:00" is no time such as'),
        ([MODELS, *POLICIES, "--record", "nowhere.jsonl"], 1, "nowhere.jsonl: No such file"),
        (
            [str(EXAMPLE / "tests"), *POLICIES],
            1,
            "tests of policies, and no object; run them: pointsman policy test FILE",
        ),
    ],
)
def test_what_cannot_be_reported_is_one_line(
    arguments: list[str], code: int, why: str, capsys: Captured
) -> None:
    assert main(["policy", "report", *arguments]) == code
    said = capsys.readouterr()
    assert why in said.err
    assert len(said.err.splitlines()) == 1
    assert said.out == ""


def appended(record: Path) -> int:
    return main(["policy", "evidence", "append", str(record), MODELS, *POLICIES])


def test_a_record_grows_verifies_and_is_named_in_a_report(tmp_path: Path, capsys: Captured) -> None:
    record = tmp_path / "record.jsonl"
    assert appended(record) == 0
    head = capsys.readouterr().out.split()[-1]
    first = record.read_bytes()
    kinds = [json.loads(line)["kind"] for line in first.splitlines()]
    assert kinds[:4] == ["start", "policy", "exception", "policy"]
    assert set(kinds[4:]) == {"verdict"}

    assert appended(record) == 0
    second = record.read_bytes()
    assert second.startswith(first)
    assert second.count(b"\n") == 2 * first.count(b"\n") - 4, (
        "policies that are as they were are not repeated"
    )

    capsys.readouterr()
    assert main(["policy", "evidence", "verify", str(record), "--head", head, "--entries", "9"]) == 0
    assert "chain verified, head " in capsys.readouterr().out
    command = ["policy", "report", MODELS, *POLICIES, "--framework", "eu-ai-act", "--record", str(record)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "AIA-03      1 of 1 pass; evidence: 2 records" in said
    assert "entries, chain verified, head " in said


def test_a_record_alone_says_what_the_files_said(tmp_path: Path, capsys: Captured) -> None:
    record = tmp_path / "record.jsonl"
    assert appended(record) == 0

    def states(*arguments: str) -> list[list[str]]:
        capsys.readouterr()
        assert main(["policy", "report", *arguments, "-o", "json"]) == 0
        frameworks = json.loads(capsys.readouterr().out)["frameworks"]
        return [[one["id"], one["state"]] for framework in frameworks for one in framework["controls"]]

    of_files = states(MODELS, *POLICIES)
    assert {state for _, state in of_files} >= {"pass", "fail", "no evidence"}
    assert states("--record", str(record)) == of_files
    before = states("--record", str(record), "--at", "2020-01-01", "--framework", "eu-ai-act")
    assert {state for _, state in before} == {"no evidence"}
    assert main(["policy", "report", "--record", str(record), *POLICIES]) == 2
    assert "name the files of objects, or a record alone with --record" in capsys.readouterr().err


def test_a_record_that_was_changed_takes_nothing_more(tmp_path: Path, capsys: Captured) -> None:
    record = tmp_path / "record.jsonl"
    assert appended(record) == 0
    before = record.read_bytes().splitlines(keepends=True)
    changed = b"".join(before).replace(b':"fail"', b':"pass"', 1).splitlines(keepends=True)
    record.write_bytes(b"".join(changed))
    line = next(n for n, (one, was) in enumerate(zip(changed, before, strict=True), 1) if one != was)
    capsys.readouterr()

    assert main(["policy", "evidence", "verify", str(record)]) == 1
    assert appended(record) == 1

    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert said[0] == said[1]
    assert said[0] == f"{record}:{line}: was changed: its hash is not that of what it says"
    assert record.read_bytes() == b"".join(changed)


def test_an_end_that_was_cut_shows_with_the_head(tmp_path: Path, capsys: Captured) -> None:
    record = tmp_path / "record.jsonl"
    assert appended(record) == 0
    head = capsys.readouterr().out.split()[-1]
    lines = record.read_bytes().splitlines(keepends=True)
    record.write_bytes(b"".join(lines[:-2]))

    assert main(["policy", "evidence", "verify", str(record)]) == 0
    assert main(["policy", "evidence", "verify", str(record), "--head", head]) == 1
    assert f"{record}:{len(lines) - 1}: the record ends here" in capsys.readouterr().err
    assert main(["policy", "evidence", "verify", str(record), "--head", "5f3c"]) == 2


def test_a_killed_writer_leaves_what_can_be_told(tmp_path: Path, capsys: Captured) -> None:
    record = tmp_path / "record.jsonl"
    assert appended(record) == 0
    whole = record.read_bytes()
    record.write_bytes(whole[:-20])
    capsys.readouterr()

    assert appended(record) == 1

    last = whole.count(b"\n")
    said = capsys.readouterr().err
    assert f"record.jsonl:{last}: is incomplete" in said
    assert f"keep the {last - 1} lines before it" in said
    record.write_bytes(whole[: whole[:-20].rindex(b"\n") + 1])
    assert appended(record) == 0


def test_a_full_disk_leaves_the_record_as_it_was(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    assert appended(record) == 0
    before = record.read_bytes()
    limited = (
        "import resource, sys; from pointsman.cli.main import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 700},) * 2)\n"
        "sys.exit(main(sys.argv[1:]))"
    )

    ended = subprocess.run(
        [sys.executable, "-c", limited, "policy", "evidence", "append", str(record), MODELS, *POLICIES],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert ended.stderr == f"{record}: File too large\n"
    assert record.read_bytes() == before


@pytest.mark.parametrize("where", [".", "nowhere/record.jsonl", "/dev/null"])
def test_what_can_hold_no_record_is_one_line(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.chdir(tmp_path)
    assert appended(Path(where)) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"{where}: ")
    assert len(said.splitlines()) == 1

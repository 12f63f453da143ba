"""What the documents tell people to type and to expect is what the program takes and says."""

import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from pointsman.api.parsing import parse_documents
from pointsman.cli.main import main, pointsman

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "examples").rglob("*.md")])
README = (ROOT / "README.md").read_text()

documents = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def blocks(text: str, language: str = "") -> list[str]:
    """The fenced blocks of a document that are in this language."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for named, block in fenced if named == language]


def commands(text: str) -> Iterator[list[str]]:
    """The words after `pointsman` where a document shows a command; its name alone is a mention of it."""
    lines = [line for block in blocks(text) for line in block.splitlines()]
    inline = [said for said in re.findall(r"`([^`\n]+)`", text) if said.count(" ") > 1]
    for said in [*lines, *inline]:
        if re.match(r"(\.venv/bin/)?pointsman [a-z]", said):
            yield shlex.split(said, comments=True)[1:]


@documents
def test_a_command_of_a_document_is_understood(document: Path) -> None:
    for name, *arguments in commands(document.read_text()):
        command = pointsman.get_command(click.Context(pointsman), name)
        assert command is not None
        command.make_context(name, arguments)


def test_the_readme_shows_every_command_that_serves() -> None:
    shown = {name for name, *_ in commands(README)}
    assert shown >= {"up", "get", "explain", "validate"}


@documents
def test_a_link_of_a_document_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", document.read_text())
    missing = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert missing == []


@documents
def test_a_target_of_make_that_a_document_names_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    text = document.read_text()
    named = re.findall(r"`(?:[A-Z_]+=\S+ )?make ([a-z-]+)`", text)
    named += [
        found for block in blocks(text) for found in re.findall(r"^make ([a-z-]+)", block, re.MULTILINE)
    ]
    assert set(named) - targets == set()


def test_the_yaml_of_the_readme_is_valid() -> None:
    parts = [part for block in blocks(README, "yaml") for part in block.split("---\n")]
    whole = [part for part in parts if "apiVersion:" in part]
    assert len(whole) == 3
    for part in whole:
        _, findings = parse_documents("README.md", part)
        assert [finding.text() for finding in findings] == []
    (fragment,) = [part for part in parts if part not in whole]
    route = next(part for part in whole if "kind: ModelRoute" in part)
    changed = route.replace("  authentication: {anonymous: true}\n", "")
    changed += "".join(f"  {line}\n" for line in fragment.splitlines())
    _, findings = parse_documents("README.md", changed)
    assert [finding.text() for finding in findings] == []


def test_validate_says_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = [block for block in blocks(README) if re.search(r"^\d+ errors?, ", block, re.MULTILINE)]
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", "examples")
    said = []
    for change in (("", ""), ("maxConcurrency", "maxConcurency")):
        file = Path("examples/quickstart/deployments.yaml")
        file.write_text(file.read_text().replace(*change, 1))
        main(["validate", "examples/quickstart"])
        said.append(capsys.readouterr().out)
    assert said == shown

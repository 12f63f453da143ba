"""Wherever a wheel is built, from this tree, from the sdist or in the image, the same files are in it."""

from __future__ import annotations

import re
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]


def wheel(tree: Path, out: Path) -> list[str]:
    """The lines of the RECORD, path, hash and size of each file, of the wheel that is built from `tree`."""
    [built] = WheelBuilder(str(tree)).build(directory=str(out), versions=["standard"])
    with zipfile.ZipFile(built) as archive:
        [record] = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        return sorted(archive.read(record).decode().splitlines())


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return wheel(ROOT, tmp_path_factory.mktemp("ours"))


def test_it_has_what_is_read_at_run_time(ours: list[str]) -> None:
    names = {line.split(",")[0] for line in ours}
    assert {
        "pointsman/policy/packs/baseline-security/pack.yaml",
        "pointsman/catalog/data/engines/vllm.yaml",
        "pointsman/routing/filters/x86_64/filters.so",
        "pointsman_autoscaler/simulator/report/templates/page.html.j2",
    } <= names


def test_the_image_gets_all_of_it(ours: list[str], tmp_path: Path) -> None:
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    tree = tmp_path / "src"
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", docker, re.MULTILINE):
        for name in line.split():
            for path in (path for path in let_in if path == name or path.startswith(f"{name}/")):
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                if (ROOT / path).is_file():
                    shutil.copy(ROOT / path, tree / path)
                else:
                    ignored = shutil.ignore_patterns("__pycache__")
                    shutil.copytree(ROOT / path, tree / path, symlinks=True, ignore=ignored)

    assert wheel(tree, tmp_path) == ours


def test_the_sdist_gives_all_of_it(ours: list[str], tmp_path: Path) -> None:
    [sdist] = SdistBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    tree = tmp_path / Path(sdist).name.removesuffix(".tar.gz")

    assert wheel(tree, tmp_path) == ours
    for name in ("Dockerfile", ".dockerignore", "constraints.txt", "policies", "charts", "crds", "examples"):
        assert (tree / name).exists(), name

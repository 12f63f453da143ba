"""Where the control plane's programs come from, without building them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.cluster.build import (
    OLDEST_PROGRAMS,
    PROGRAMS,
    SOURCES,
    built_control_plane,
    cache_folder,
    kubernetes_version,
    missing,
)


def test_a_folder_that_is_named_is_taken_as_it_is(tmp_path: Path) -> None:
    for program in PROGRAMS:
        (tmp_path / program.name).touch()
    assert built_control_plane({"KUBEBUILDER_ASSETS": str(tmp_path)}) == tmp_path


def test_a_folder_that_is_named_and_lacks_a_program_is_refused_with_its_name(tmp_path: Path) -> None:
    for program in PROGRAMS:
        (tmp_path / program.name).touch()
    (tmp_path / "kwok").unlink()
    with pytest.raises(RuntimeError, match=r"lacks kwok; unset it"):
        built_control_plane({"KUBEBUILDER_ASSETS": str(tmp_path)})


def test_what_is_built_is_kept_below_the_cache_by_its_sources(tmp_path: Path) -> None:
    folder = cache_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert folder.parent == tmp_path / "pointsman" / "control-plane"
    assert folder == cache_folder({"XDG_CACHE_HOME": str(tmp_path)})
    assert missing(folder) == PROGRAMS


def test_the_oldest_kubernetes_is_kept_beside_the_newest(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    assert cache_folder(environment, OLDEST_PROGRAMS) != cache_folder(environment)
    assert [one.name for one in OLDEST_PROGRAMS] == [one.name for one in PROGRAMS]
    assert {one.module for one in OLDEST_PROGRAMS} == {".", "kwok", "oldest"}


@pytest.mark.parametrize("module", [".", "oldest"])
def test_every_library_of_kubernetes_is_of_the_version_that_is_built(module: str) -> None:
    """k8s.io/kubernetes names versions of its libraries that do not exist; each must be replaced."""
    modules = (SOURCES / module / "go.mod").read_text()
    version = kubernetes_version(module).removeprefix("v1.")
    replaced = dict(re.findall(r"(k8s\.io/[a-z-]+) => k8s\.io/[a-z-]+ v0\.([0-9.]+)", modules))
    named = set(re.findall(r"^\t(k8s\.io/[a-z-]+) v0\.0\.0(?!-)", modules, re.MULTILINE))
    assert set(replaced.values()) == {version}
    assert named <= set(replaced)

"""The control plane that the integration tests share: built if missing, started once, ended for certain."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster.admin import Admin
from tests.support.cluster.build import built_control_plane
from tests.support.cluster.control_plane import ControlPlane
from tests.support.cluster.definitions import install_definitions
from tests.support.cluster.installation import Installation, OperatorProcess

_numbers = itertools.count(1)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build before the first test: it takes minutes, which no test's time-out should have to allow for."""
    own = Path(__file__).parent
    asked_for = any(item.path.is_relative_to(own) for item in session.items)
    if asked_for and not session.config.option.collectonly:
        built_control_plane()


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """etcd, API server, controller manager, scheduler, audit log. Leave no cluster-scoped object behind."""
    with ControlPlane.start() as started:
        yield started


@pytest.fixture(scope="session")
def definitions(control_plane: ControlPlane) -> None:
    """The shared control plane serves our kinds."""
    install_definitions(control_plane.admin)


@pytest.fixture
def admin(control_plane: ControlPlane) -> Admin:
    """The shared control plane's API as its administrator."""
    return control_plane.admin


@pytest.fixture
def namespace(admin: Admin) -> Iterator[str]:
    """A namespace of the test's own, with its default account; its deletion is not waited for."""
    name = f"test-{next(_numbers)}"
    admin.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    admin.wait_for("v1", "ServiceAccount", "default", name)
    yield name
    admin.delete("v1", "Namespace", name)


@pytest.fixture
def operator(installation: Installation) -> Iterator[OperatorProcess]:
    """A replica of this test's own, where its package has an `installation`. All have one name, so that the
    next one takes its lease at once.
    """
    with installation.operator() as running:
        yield running

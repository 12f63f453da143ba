"""How `make test` shares the tests out among processes that run side by side (pytest-xdist).

What waits for clusters, engines and Envoys is most of the time, so two processes take little more than half.
Tests that share a cluster stay in one process, which starts it once; all others go module by module. They are
handed out as they are collected: the long ones of e2e and integration first, the many small ones fill the gaps.
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

_INTEGRATION = "tests/integration/"
_WITH_A_CLUSTER_OF_THEIR_OWN = frozenset({"autoscaler", "gateway", "oldest", "operator", "real_pods"})


class ByCluster(LoadScopeScheduling):
    """Hands out all tests of a cluster at once, and the others by module."""

    def _split_scope(self, nodeid: str) -> str:
        return shared_by(nodeid)


def shared_by(nodeid: str) -> str:
    """What a test has in common with those that must run in its process: a folder, or its module."""
    module = nodeid.partition("::")[0]
    if not module.startswith(_INTEGRATION):
        return module
    package = module.removeprefix(_INTEGRATION).partition("/")[0]
    return _INTEGRATION + package if package in _WITH_A_CLUSTER_OF_THEIR_OWN else _INTEGRATION

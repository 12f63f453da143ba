"""The flags of vLLM as its own parsers have them, against what the catalogue says of its versions."""

import pytest

from pointsman.catalog import LaunchCondition, owned_argument, shipped_catalog
from pointsman.catalog.versions import in_range
from tests.support.recorded_engine import FLAG_VERSIONS, flags

VLLM = shipped_catalog().engines["vllm"]
OMNI = {"--omni"}  # of another program of the same name
# From 0.33 on every --enable-x has a --disable-x, so that this one is back; it needs nobody who says it.
BACK = {("0.33.0", "--disable-log-requests")}


def names(version: str) -> set[str]:
    return {name for names in flags(version) for name in names}


@pytest.mark.parametrize("version", FLAG_VERSIONS)
def test_every_flag_that_we_pass_is_there(version: str) -> None:
    has_nodes = in_range(version, VLLM.launch.multi_node_since, None)
    passed = {
        row.flag
        for row in VLLM.launch.arguments
        if row.flag
        and row.holds_in(version)
        and (has_nodes or not {LaunchCondition.MULTI_NODE, LaunchCondition.WORKER} & set(row.when))
    }
    assert passed - names(version) == OMNI


@pytest.mark.parametrize("version", FLAG_VERSIONS)
def test_flags_came_and_went_when_we_say(version: str) -> None:
    known = {flag for row in VLLM.lifetimes for flag in row.flags}
    wrong = {flag for flag in known if (VLLM.lifetime_of(flag, version) is None) != (flag in names(version))}
    assert {(version, flag) for flag in wrong} <= BACK


@pytest.mark.parametrize("version", FLAG_VERSIONS)
def test_what_is_ours_is_ours_by_each_of_its_names_and_nothing_else_is(version: str) -> None:
    """Also by the opposite of a flag; and no flag of its own is taken for the beginning of ours."""
    for one in flags(version):
        owners = [owned_argument("vllm", name) for name in one]
        assert len({id(owner) for owner in owners}) == 1, one
        listed = any(name in owner.flags for owner in VLLM.arguments for name in one)
        assert (owners[0] is not None) == listed, one

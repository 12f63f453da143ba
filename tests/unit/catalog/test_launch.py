"""The rows by which engines are started: what is passed exists in the version, and is refused from a user."""

import itertools

import pytest

from pointsman.api import EngineName
from pointsman.catalog import (
    EngineFacts,
    LaunchArgument,
    LaunchCondition,
    LaunchValue,
    owned_argument,
    read_catalog,
    shipped_catalog,
)
from pointsman.errors import PointsmanError

CATALOG = shipped_catalog()
ENGINES = [name.value for name in EngineName]
VERSIONS: dict[str, list[str | None]] = {
    "vllm": [
        *("0.8.5", "0.9.2", "0.10.0", "0.10.2", "0.11.0", "0.11.2", "0.12.0", "0.13.0", "0.17.1", "0.18.1"),
        *("0.20.0", "0.24.0", "0.28.0", "0.31.0", "0.33.0"),
    ],
    "sglang": ["0.4.10", "0.5.5", "0.5.16", "0.5.23"],
    "tei": ["1.8", "1.9"],
}

# What we give a value to and a user may give another, as it comes after ours.
OVERRIDABLE = {
    "vllm": {"--max-lora-rank", "--disable-log-requests"},
    "llama.cpp": {"-b", "-ub", "-ngl", "--cache-ram", "--no-ui", "--offline", "--cors-origins"},
    "tei": {"--json-output"},
}


def rows(facts: EngineFacts, version: str | None) -> list[LaunchArgument]:
    return [row for row in facts.launch.arguments if row.holds_in(version)]


@pytest.mark.parametrize("engine", ENGINES)
def test_no_version_is_given_a_flag_that_it_does_not_have(engine: str) -> None:
    facts = CATALOG.engines[engine]
    for version in VERSIONS.get(engine, [None]):
        passed = [row.flag for row in rows(facts, version) if row.flag]
        gone = [flag for flag in passed if facts.lifetime_of(flag, version) is not None]
        assert gone == [], version


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_passed_is_ours_or_may_be_given_again(engine: str) -> None:
    flags = {row.flag for row in CATALOG.engines[engine].launch.arguments if row.flag}
    free = {flag for flag in flags if owned_argument(engine, flag) is None}
    assert free == OVERRIDABLE.get(engine, set())


@pytest.mark.parametrize("engine", ENGINES)
def test_every_engine_with_arguments_is_told_model_and_port(engine: str) -> None:
    launch = CATALOG.engines[engine].launch
    for version in VERSIONS.get(engine, [None]):
        rowed = [*rows(CATALOG.engines[engine], version), *launch.variables]
        taken = [row.takes for row in rowed]
        assert taken.count(LaunchValue.WEIGHTS) == 1, version
        assert LaunchValue.PORT in taken
        assert LaunchValue.HOST in taken or engine == "custom"


def test_the_newest_version_has_an_image_for_the_usual_devices() -> None:
    for name, vendor in itertools.product(("vllm", "sglang", "llama.cpp", "tei"), ("nvidia", "cpu")):
        facts = CATALOG.engines[name]
        assert any(image.vendor == vendor and image.exists_in(facts.version) for image in facts.images), name


def test_no_image_floats() -> None:
    for name, facts in CATALOG.engines.items():
        assert facts.version is not None or not facts.images, name
        assert all("{version}" in image.reference for image in facts.images), name


@pytest.mark.parametrize(
    ("argument", "version", "want"),
    [
        ("--swap-space=4", "0.17.1", None),
        ("--swap_space=4", "0.18.0", "use --kv-offloading-size"),
        ("--swap-space", None, "use --kv-offloading-size"),
        ("--max-num-queued-reqs", "0.28.0", "leave it out or use a later version"),
        ("--max-num-queued-reqs", None, None),
        ("--a-flag-that-nobody-knows", "0.33.0", None),
    ],
)
def test_a_lifetime_says_which_versions_have_a_flag(
    argument: str, version: str | None, want: str | None
) -> None:
    found = CATALOG.engines["vllm"].lifetime_of(argument, version)
    assert (found.todo if found else None) == want


def test_conditions_of_rows_are_words_of_the_schema() -> None:
    used = {
        condition
        for facts in CATALOG.engines.values()
        for row in facts.launch.arguments
        for condition in row.when
    }
    assert used <= set(LaunchCondition)
    assert {LaunchCondition.WORKER, LaunchCondition.ADAPTERS, LaunchCondition.POOLS} <= used


ENGINE = """
name: vllm
summary: an engine
source: its wheel
verified: true
tasks: [chat]
quantizations: [none]
port: 8000
endpoints: {alive: /health, ready: /v1/models, tasks: {chat: /v1/chat/completions}}
servedNames: many
context: perRequest
startup: {fixedSeconds: 60, secondsPerGibibyte: 10, source: measured}
shutdown: {onTerminate: aborts, source: its code}
"""


@pytest.mark.parametrize(
    ("row", "want"),
    [
        ("launch: {arguments: [{joined: comma}]}", "a positional argument needs text or takes"),
        ("launch: {arguments: [{flag: --a, text: b, takes: port}]}", "text and takes contradict each other"),
        ("launch: {variables: [{name: A}]}", "exactly one of text and takes must be given"),
        ("launch: {arguments: [{takes: colour}]}", "Input should be 'weights'"),
        ("lifetimes: [{flags: [--a], todo: stop}]", "says neither since nor before"),
    ],
)
def test_a_broken_row_is_one_line(row: str, want: str) -> None:
    with pytest.raises(PointsmanError) as refused:
        read_catalog({"engines/vllm.yaml": f"{ENGINE}{row}\n"})
    assert want in str(refused.value)
    assert "\n" not in str(refused.value)

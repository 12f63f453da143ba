"""What a comparison of hours keeps, it finds again, and never for something else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pointsman_autoscaler.simulator.contenders import OURS
from pointsman_autoscaler.simulator.result import Result
from pointsman_autoscaler.simulator.run import simulate
from pointsman_autoscaler.simulator.scenario import Scenario
from pointsman_autoscaler.simulator.workloads import conversation, from_rates, steady
from tests.bench.keeping import code_digest, kept, key_of, modules_of
from tests.bench.scaling_scenarios import CASES, Case, Model
from tests.bench.scaling_tuning import ORACLE, Entry, module, policy

HPA = Entry("hpa", 0.6)


def scenario(rate: float = 1.0) -> Scenario:
    return Model().scenario(
        "short", from_rates(steady(rate, 120.0), conversation(), 1.0, np.random.default_rng(0))
    )


def played() -> Result:
    return simulate(scenario(), policy(HPA, scenario(), (), {}, 0), 0)


def key(entry: Entry = HPA, rate: float = 1.0, seed: int = 0, known: object = None) -> str:
    return key_of(module(entry), entry.setting, scenario(rate), seed, known)


def never() -> Result:
    raise AssertionError("this was kept")


def test_what_was_played_is_not_played_again(tmp_path: Path) -> None:
    first = kept(tmp_path, key(), played)
    assert kept(tmp_path, key(), never).dollars == first.dollars


def test_a_file_that_was_cut_off_is_played_again(tmp_path: Path) -> None:
    first = kept(tmp_path, key(), played)
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(file.read_bytes()[:100])
    assert kept(tmp_path, key(), played) == first
    assert kept(tmp_path, key(), never) == first


OTHERS: dict[str, Callable[[], str]] = {
    "setting": lambda: key(Entry("hpa", 0.7)),
    "peer": lambda: key(Entry("keda", 0.6)),
    "seed": lambda: key(seed=1),
    "load": lambda: key(rate=2.0),
    "what it knows": lambda: key(known=(1.0,)),
}


@pytest.mark.parametrize("other", OTHERS)
def test_nothing_else_is_found_under_its_key(other: str) -> None:
    assert OTHERS[other]() != key()
    assert OTHERS[other]() == OTHERS[other]()


def test_a_part_of_ours_that_is_off_is_another_policy() -> None:
    assert key(Entry(OURS, None, "no trim")) != key(Entry(OURS))


def test_only_ours_depends_on_our_scaling() -> None:
    """Else each change of it would have hours of peers played again."""
    places = {name: module(Entry(name)) for name in (OURS, ORACLE, "hpa")}
    deciding = {
        name: any(".decision." in part for part in modules_of(place)) for name, place in places.items()
    }
    assert deciding == {OURS: True, ORACLE: False, "hpa": False}
    assert all(
        "pointsman_autoscaler.simulator.oracle" not in modules_of(places[name]) for name in ("hpa", OURS)
    )
    assert len({code_digest(place) for place in places.values()}) == 3


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_load_has_a_value(case: Case) -> None:
    keys = [key_of(module(HPA), HPA.setting, case.make(seed, True), 0) for seed in (0, 0, 1)]
    assert keys[0] == keys[1] != keys[2]

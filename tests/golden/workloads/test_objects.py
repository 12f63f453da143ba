"""What each deployment is rendered to, kept as YAML.

`UPDATE_GOLDEN=1` writes the files anew: read the difference before committing it.
"""

import os
from pathlib import Path

import pytest
import yaml

from pointsman.workloads import render
from tests.golden.workloads.inputs import CASES, Case

HERE = Path(__file__).parent


class _Readable(yaml.SafeDumper):
    """Without anchors: what stands twice is written twice, as it would be applied."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def rendered(case: Case) -> str:
    objects = render(case.deployment, case.frozen(), case.replicas, case.surroundings)
    return yaml.dump_all(objects, Dumper=_Readable, sort_keys=False, width=110, allow_unicode=True)


@pytest.mark.parametrize("name", CASES)
def test_a_deployment_is_rendered_to_what_is_kept(name: str) -> None:
    kept = HERE / f"{name}.yaml"
    now = rendered(CASES[name])
    if os.environ.get("UPDATE_GOLDEN") == "1":
        kept.write_text(now, encoding="utf-8")
    assert now == kept.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"


def test_no_file_is_kept_for_a_case_that_is_gone() -> None:
    assert {file.stem for file in HERE.glob("*.yaml")} == set(CASES)

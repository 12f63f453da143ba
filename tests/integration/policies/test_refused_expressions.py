"""What the API server refuses of an expression as written, our compiler refuses before, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from pointsman.policy.native.validating import validating
from tests.integration.policies.saying import ADMISSION
from tests.support.cluster.admin import Admin
from tests.support.cluster.api_client import ApiError
from tests.support.policies import compiled, rule

pytestmark = pytest.mark.usefixtures("definitions")

Json = dict[str, Any]

_REFUSED = [
    "object.metadata.name.matches('[')",
    "matches(object.metadata.name, 'a(')",
    "object.metadata.name in [1, 'a']",
    "object.spec.tier in [object.metadata.name, 'a']",
    "object.spec.tier in ['a', object.metadata.name]",
    "[1, 2.0].size() > 0",
    "[[1], ['a']].size() > 0",
    "{'a': 1, 'b': 'x'}.size() > 0",
    "{'a': 1, 2: 1}.size() > 0",
    "duration('x') < duration('1h')",
    "timestamp('2020-01-01') < timestamp('2021-01-01T00:00:00Z')",
]
_TAKEN = [
    "object.metadata.name.matches('^[a-z]+$')",
    "object.metadata.name.matches(object.spec.tier)",
    "object.metadata.name in ['a', 'b']",
    "object.spec.tier in [namespaceObject.metadata.name, 'a']",
    "object.spec.tier in ['a', string(object.spec.replicas)]",
    "[object.spec.tier, object.metadata.name].size() > 0",
    "{'a': [1], 'b': [2]}.size() > 0",
    "{'a': object.spec.tier}.size() > 0",
    "duration('1h30m') < duration('2h')",
    "timestamp('2021-01-01T00:00:00Z') < timestamp('2022-01-01T00:00:00+01:00')",
    "[].size() == 0 && [[]].size() == 1",
]


@pytest.mark.parametrize("expression", [*_REFUSED, *_TAKEN])
def test_both_refuse_the_same(admin: Admin, expression: str) -> None:
    found = compiled({"rules": [rule("OWN-1", expression=expression)]})
    (native, _) = validating(compiled({"rules": [rule("OWN-1")]}, name="literals"), datetime.now(UTC))
    native["spec"]["validations"][0]["expression"] = expression

    assert bool(found.problems) == bool(_refusal(admin, native)) == (expression in _REFUSED)


def _refusal(admin: Admin, native: Json) -> str:
    path = f"/apis/{ADMISSION}/validatingadmissionpolicies"
    try:
        admin.request("POST", path, native, parameters={"dryRun": "All"})
    except ApiError as error:
        if error.status != 422:
            raise
        return str(error)
    return ""

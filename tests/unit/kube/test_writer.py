"""What an apply sends is JSON, and YAML too."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml

from pointsman.json_text import dumped
from pointsman.kube.writer import as_yaml

_ODD = 'a\x7f b\x80 c\x85 d\u2028 e\u2029 f\ufeff g\uffff h\xa0 é \U0001f600 \\ " \x07 \n'


@pytest.mark.parametrize("read", [json.loads, yaml.safe_load])
def test_it_means_the_same_to_both(read: Callable[[str], object]) -> None:
    text = as_yaml(dumped({"text": _ODD}))

    assert read(text.decode()) == {"text": _ODD}

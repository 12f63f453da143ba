"""The programs take what the chart gives them."""

from __future__ import annotations

from typing import Any

import click
import pytest

from pointsman.cli.main import pointsman
from tests.golden.chart.test_renders import INSTALLATIONS
from tests.support.chart import render


@pytest.mark.parametrize("values", INSTALLATIONS.values(), ids=INSTALLATIONS)
def test_every_argument_is_understood(values: dict[str, Any]) -> None:
    programs = []
    for one in render(values):
        if one["kind"] != "Deployment":
            continue
        for container in one["spec"]["template"]["spec"]["containers"]:
            name, *arguments = container["args"]
            command = pointsman.get_command(click.Context(pointsman), name)
            assert command is not None
            with command.make_context(name, arguments) as context:
                assert context.args == []
            programs.append(name)
    assert sorted(programs) == ["autoscaler", "gateway", "operator"]

"""The chart, rendered as an installation would render it, without a helm binary."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from helm_python import Chart

CHART = Path(__file__).parents[2] / "charts" / "pointsman"


def render(
    values: Mapping[str, Any] | None = None, *, name: str = "pointsman", namespace: str = "pointsman-system"
) -> list[dict[str, Any]]:
    """The objects of one installation, in the order of the templates' names."""
    with Chart.load(CHART) as chart:
        files: Mapping[str, str] = chart.render(values=dict(values or {}), name=name, namespace=namespace)
    return [
        document
        for path, text in sorted(files.items())
        if path.endswith(".yaml")
        for document in yaml.safe_load_all(text)
        if document
    ]


def notes(values: Mapping[str, Any] | None = None) -> str:
    """What helm prints after an installation."""
    with Chart.load(CHART) as chart:
        files = chart.render(values=dict(values or {}), name="pointsman", namespace="pointsman-system")
    return str(files["pointsman/templates/NOTES.txt"])

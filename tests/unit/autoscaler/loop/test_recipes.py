"""Recording rules, alerts and the recipes for KEDA and HPAs name series and labels that there are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pointsman.api import ObjectKey
from pointsman.catalog.metrics import MetricName
from pointsman.gateway.exposition import series_names
from pointsman_autoscaler.loop.metrics import AutoscalerMetrics, Recommended

ROOT = Path(__file__).parents[4]
RULES = ROOT / "charts" / "pointsman" / "files" / "rules.yaml"
RECIPES = ROOT / "operator" / "docs" / "scaling-by-others.md"
_SERIES = re.compile(r"(pointsman_(?:engine|gateway|autoscaler|operator)_\w+)(?:\{([^}]*)\})?")


def page() -> str:
    metrics = AutoscalerMetrics()
    metrics.gauge("leading", "", lambda: 1.0)
    metrics.decided(ObjectKey("chat", "qwen3-32b"), Recommended({"default": 3}, 0.99, 4.0), 0.1)
    return metrics.page().decode()


def known() -> frozenset[str]:
    """Every series of gateways, agents and the autoscaler, and those of the operator that rules ask for."""
    named = {line.split("{")[0].split(" ")[0] for line in page().splitlines() if line[0] != "#"}
    named |= series_names() | {"pointsman_operator_exceptions_ending"}
    named |= {f"pointsman_operator_evidence_{name}" for name in ("failing", "lost")}
    for name in MetricName:
        named |= {f"pointsman_engine_{name}", f"pointsman_engine_{name}_bucket"}
    return frozenset(named)


def expressions() -> Iterator[Any]:
    for group in yaml.safe_load(RULES.read_text()):
        for rule in group["rules"]:
            yield pytest.param(rule["expr"], id=rule.get("record") or rule["alert"])
    for number, block in enumerate(re.findall(r"```(?:yaml)?\n(.*?)```", RECIPES.read_text(), re.DOTALL)):
        if "pointsman_autoscaler" in block:
            yield pytest.param(block, id=f"recipe {number}")


@pytest.mark.parametrize("expression", list(expressions()))
def test_series_are_real(expression: str) -> None:
    found = _SERIES.findall(expression)
    assert found
    assert {name for name, _ in found} <= known()


def test_recipes_ask_by_labels_that_the_recommendation_has() -> None:
    [row] = [
        line for line in page().splitlines() if line.startswith("pointsman_autoscaler_desired_replicas{")
    ]
    labels = dict(re.findall(r'(\w+)="([^"]*)"', row))
    asked = [found for _, found in _SERIES.findall(RECIPES.read_text()) if "=" in found]
    assert len(asked) == 2
    for selector in asked:
        named = dict(re.findall(r'(\w+)="([^"]*)"', selector))
        assert named.items() <= labels.items()


def test_the_hpa_selects_by_labels_that_the_recommendation_has() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", RECIPES.read_text(), re.DOTALL)
    [hpa] = [block for block in map(yaml.safe_load, blocks) if block.get("kind") == "HorizontalPodAutoscaler"]
    metric = hpa["spec"]["metrics"][0]["external"]["metric"]
    assert metric["selector"]["matchLabels"] == {"deployment_namespace": "chat", "deployment": "qwen3-32b"}
    adapter = next(block for block in map(yaml.safe_load, blocks) if "externalRules" in block)
    assert adapter["externalRules"][0]["name"]["as"] == metric["name"]

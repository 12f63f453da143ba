"""What a real Prometheus makes of the chart's rules and of the recipe for KEDA."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.prometheus import program
from tests.unit.autoscaler.loop.test_recipes import RECIPES, RULES


def promtool(*arguments: str) -> None:
    done = subprocess.run(
        [str(program("promtool")), *arguments], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_are_understood(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": yaml.safe_load(RULES.read_text())}))
    promtool("check", "rules", str(rules))


def test_the_recipe_asks_for_as_many_replicas_as_are_recommended_in_all_pools(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", RECIPES.read_text(), re.DOTALL)
    [keda] = [block for block in map(yaml.safe_load, blocks) if block.get("kind") == "ScaledObject"]
    query: str = keda["spec"]["triggers"][0]["metadata"]["query"]
    series = 'pointsman_autoscaler_desired_replicas{deployment_namespace="chat",deployment="qwen3-32b"'
    test: dict[str, Any] = {
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": f'{series},flavour="spot"}}', "values": "2"},
                    {"series": f'{series},flavour="reserved"}}', "values": "3"},
                    {"series": 'pointsman_autoscaler_desired_replicas{deployment="other"}', "values": "9"},
                ],
                "promql_expr_test": [
                    {"expr": query, "eval_time": "0", "exp_samples": [{"labels": "{}", "value": 5}]}
                ],
            }
        ]
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    promtool("test", "rules", str(path))

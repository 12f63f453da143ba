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


def test_a_record_that_is_not_written_and_one_that_lost_news_are_told_of(tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(yaml.safe_dump({"groups": yaml.safe_load(RULES.read_text())}))
    evidence = "pointsman_operator_evidence"
    ours = [rule for group in yaml.safe_load(RULES.read_text()) for rule in group["rules"] if "alert" in rule]
    rule = {one["alert"]: one for one in ours}

    def alerts(name: str, at: str, *, fires: bool) -> dict[str, Any]:
        said = {"exp_labels": rule[name]["labels"], "exp_annotations": rule[name]["annotations"]}
        return {"eval_time": at, "alertname": name, "exp_alerts": [said] if fires else []}

    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    # One replica leads, the other does not; it fails from the tenth minute to the thirtieth.
                    {"series": f'{evidence}_failing{{pod="a"}}', "values": "0x9 1x20 0x90"},
                    {"series": f'{evidence}_failing{{pod="b"}}', "values": "0x120"},
                    {"series": f'{evidence}_lost{{pod="a"}}', "values": "0x20 7x100"},
                ],
                "alert_rule_test": [
                    alerts("PointsmanEvidenceNotWritten", "12m", fires=False),
                    alerts("PointsmanEvidenceNotWritten", "20m", fires=True),
                    alerts("PointsmanEvidenceNotWritten", "40m", fires=False),
                    alerts("PointsmanEvidenceLost", "20m", fires=False),
                    alerts("PointsmanEvidenceLost", "25m", fires=True),
                    alerts("PointsmanEvidenceLost", "100m", fires=False),
                ],
            }
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(yaml.safe_dump(test))
    promtool("test", "rules", str(path))


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

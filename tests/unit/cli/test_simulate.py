"""`pointsman simulate`: a recorded load against the files of a platform, as table, JSON and page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pointsman.cli.main import main

EXAMPLE = Path(__file__).parents[3] / "examples" / "autoscaling"
HOUR = "t_seconds,arrivals_per_second\n" + "".join(
    f"{minute * 60},{8 if minute >= 20 else 2}\n" for minute in range(40)
)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "hour.csv"
    file.write_text(HOUR)
    return file


def simulated(trace: Path, *arguments: str) -> int:
    return main(["simulate", str(EXAMPLE), "--trace", str(trace), *arguments])


def test_the_outcome_is_a_table_and_a_page_that_needs_no_network(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out" / "page.html"
    assert simulated(trace, "--against", "hpa,wva=0.7", "--report", str(page)) == 0
    first, header, *rows, last = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"0\.0278 days, 1[0-9],[0-9]{3} requests \(as recorded\), start-up p90 [0-9]+ s", first
    )
    assert header.split("  ")[0] == "policy"
    assert [re.split(r"\s{2,}", row)[0] for row in rows] == ["pointsman", "hpa", "wva scale_up 0.7"]
    assert all(float(re.split(r"\s{2,}", row)[5]) >= 1.0 for row in rows), "nobody is below the bound"
    assert last == f"report: {page}"
    html = page.read_text()
    assert html.count("<svg") >= 8
    assert "wva scale_up 0.7" in html
    assert "Pool l40s" in html
    assert not re.search(r"""(src|href)\s*=|url\(|@import""", html)


def test_the_same_seed_gives_the_same_numbers_as_json(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = []
    for _ in range(2):
        assert simulated(trace, "--against", "", "--report", "", "-o", "json", "--seed", "4") == 0
        told = json.loads(capsys.readouterr().out)
        policy = told["policies"]["pointsman"]
        assert policy.pop("decisionCpuSeconds") > 0
        assert policy.pop("simulationCpuSeconds") > 0
        found.append(told)
    assert found[0] == found[1]
    assert found[0]["bounds"] == {"ttft p95": 2.0, "itl p95": 0.1}
    assert 0 < found[0]["leastDollars"] <= found[0]["policies"]["pointsman"]["dollars"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--against", "hpaa"], "--against: 'hpaa' is nothing to compare with; choose from hpa, "),
        (["--against", "hpa=high"], "--against: 'high' is no value of target; write hpa=0.7 or hpa"),
        (["--deployment", "other"], "--deployment: no scaled ModelDeployment 'other'; name one of qwen3-32b"),
    ],
)
def test_a_wrong_option_is_one_line(
    trace: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulated(trace, "--report", "", *arguments) == 1
    assert capsys.readouterr().err.startswith(said)


def test_what_cannot_be_simulated_says_why(
    trace: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = (EXAMPLE / "deployment.yaml").read_text()
    (tmp_path / "unscaled.yaml").write_text(deployment[: deployment.index("  scaling:")])
    assert main(["simulate", str(tmp_path / "unscaled.yaml"), "--trace", str(trace)]) == 1
    assert "no ModelDeployment with spec.scaling; state maxReplicas" in capsys.readouterr().err
    (tmp_path / "own.yaml").write_text(deployment.replace("hf://Qwen/Qwen3-32B", "hf://acme/own"))
    assert main(["simulate", str(tmp_path / "own.yaml"), "--trace", str(trace)]) == 1
    assert "cannot be simulated; name accelerators of the catalogue, and spec.model.facts" in (
        capsys.readouterr().err
    )
    assert simulated(tmp_path / "absent.csv") == 1
    assert "absent.csv: it cannot be read" in capsys.readouterr().err

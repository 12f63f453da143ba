"""What a real Prometheus recorded is played again."""

from __future__ import annotations

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.cli.main import main
from tests.support.cluster.component import Component
from tests.support.polling import eventually
from tests.support.ports import free_port
from tests.support.prometheus import program

EXAMPLE = Path(__file__).parents[3] / "examples" / "autoscaling"
MINUTES, PER_SECOND = 60, 3.0


def recorded(begin: float) -> str:
    """An hour of two gateways' counters, in OpenMetrics."""
    lines = ["# TYPE pointsman_gateway_attempts counter"]
    for gateway in ("a", "b"):
        for target, share in (("default/qwen3-32b", 0.5), ("default/other", 7.0)):
            lines += [
                f'pointsman_gateway_attempts_total{{instance="{gateway}",target="{target}"}} '
                f"{minute * 60 * PER_SECOND * share} {begin + minute * 60:.0f}"
                for minute in range(MINUTES + 1)
            ]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[str]:
    data = tmp_path / "data"
    (tmp_path / "load.om").write_text(recorded(time.time() - MINUTES * 60 - 60))
    made = [str(program("promtool")), "tsdb", "create-blocks-from", "openmetrics"]
    subprocess.run([*made, str(tmp_path / "load.om"), str(data)], check=True, capture_output=True, timeout=60)
    (tmp_path / "prometheus.yaml").write_text("{}")
    port = free_port()
    server = Component(
        "prometheus",
        [
            str(program()),
            f"--config.file={tmp_path / 'prometheus.yaml'}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=1y",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        tmp_path / "prometheus.log",
    )
    server.start()
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=2) as answer:
                return int(answer.status) == 200
        except OSError:
            return False

    try:
        eventually(is_ready, 60, f"Prometheus is ready: {server.log_tail()}")
        yield url
    finally:
        server.kill()


def simulated(*arguments: str) -> int:
    return main(["simulate", str(EXAMPLE), "--against", "", "--report", "", *arguments])


def test_the_load_that_gateways_told_of_is_simulated(
    prometheus: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulated("--prometheus", prometheus, "--days", "0.0417") == 0
    first, _, row, *_ = capsys.readouterr().out.splitlines()
    requests = int(first.split(", ")[1].split(" requests")[0].replace(",", ""))
    assert requests == pytest.approx(3600 * PER_SECOND, rel=0.15), "both gateways', of this deployment alone"
    assert row.startswith("pointsman ")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("absent_metric", "the query gives nothing in the last 7 days: absent_metric; see that it scrapes"),
        ("pointsman_gateway_attempts_total", "the query gives 4 series in the last 7 days"),
        ("sum(", "Prometheus does not answer the query (1:5: parse error: unclosed left parenthesis); see"),
    ],
)
def test_what_is_no_rate_is_one_line(
    prometheus: str, query: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulated("--prometheus", prometheus, "--query", query) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"{prometheus}: {said}")
    assert told.count("\n") == 1


def test_no_prometheus_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulated("--prometheus", f"http://127.0.0.1:{free_port()}") == 1
    assert "Prometheus does not answer the query (Connection refused); see" in capsys.readouterr().err
    assert simulated() == 1
    assert "--trace, --prometheus: a recorded load is needed, and one alone" in capsys.readouterr().err

"""`pointsman simulate`: a recorded load against the files of a platform, as table, JSON and page."""

from __future__ import annotations

import gzip
import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
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
        r"40 min, 1[0-9],[0-9]{3} requests \(as recorded\), start-up p90 [0-9]+ s, seed 0", first
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
        (["--against", "hpa=high"], "--against: 'high' is no value of target; write hpa="),
        (["--against", "hpa=nan"], "--against: 'nan' is no value of target; write hpa="),
        (["--against", "hpa=0"], "--against: '0' is no value of target; write hpa="),
        (
            ["--load", "1e9"],
            "--load: 1e+09 times 12,000 requests are too many to simulate; at most 2.5e+03 can",
        ),
        (["--load", "inf"], "--load: inf times 12,000 requests are too many"),
        (["--load", "1e-9"], "--trace, --load: no request is left to simulate"),
        (
            ["--prometheus", "http://x"],
            "--trace, --prometheus: a recorded load is needed, and one alone; give",
        ),
        (["--deployment", "other"], "--deployment: no scaled ModelDeployment 'other'; name one of qwen3-32b"),
    ],
)
def test_a_wrong_option_is_one_line(
    trace: Path, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert simulated(trace, "--report", "", *arguments) == 1
    assert capsys.readouterr().err.startswith(said)


def test_a_report_that_cannot_be_written_is_told_before_anything_is_simulated(
    trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = trace / "page.html"
    assert simulated(Path("no such trace"), "--report", str(page)) == 1
    assert capsys.readouterr().err == f"{page}: the report cannot be written (Not a directory)\n"


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


@pytest.fixture
def quiet(tmp_path: Path) -> Path:
    file = tmp_path / "<b>quiet.csv"
    file.write_text("time,rate\n" + "".join(f"{minute * 60},0.5\n" for minute in range(10)))
    return file


def test_what_no_number_of_replicas_reaches_is_said_with_the_nearest_miss(
    quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment = (EXAMPLE / "deployment.yaml").read_text().replace("p95: 2s", "p95: 100ms")
    (tmp_path / "strict.yaml").write_text(deployment)
    page = tmp_path / "page.html"
    command = ["simulate", str(tmp_path / "strict.yaml"), "--trace", str(quiet), "--against", ""]
    said = re.compile(
        r"ttft p95 ≤ 100 ms cannot be met at any scale: requests that have a replica to themselves take "
        r"(2[0-9]{2}) ms, 2\.[0-9] times that, in the nearest pool \(h100\)"
    )
    assert main([*command, "--seeds", "2", "--report", str(page)]) == 0
    first, _, row, note, _ = capsys.readouterr().out.splitlines()
    assert first.endswith(" s, least - most of seeds 0 to 1")
    assert row.startswith("pointsman ")
    assert (found := said.fullmatch(note)) is not None
    assert said.search(page.read_text()) is not None
    assert main([*command, "--seeds", "2", "--report", "", "-o", "json"]) == 0
    told = json.loads(capsys.readouterr().out)
    missed = told["cannotBeMet"]
    assert (missed["bound"], missed["boundSeconds"], missed["pool"]) == ("ttft p95", 0.1, "h100")
    assert f"{missed['seconds'] * 1000:.0f}" == found[1]
    assert told["notes"] == [note]
    assert told["seeds"] == [0, 1]
    assert [run["seed"] for run in told["otherSeeds"]["pointsman"]] == [1]


def test_too_few_replicas_are_said_and_nobody_could_serve_with_them(
    quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    quiet.write_text(quiet.read_text().replace(",0.5", ",20"))
    deployment = (
        (EXAMPLE / "deployment.yaml")
        .read_text()
        .replace("maxReplicas: 12\n    obj", "maxReplicas: 1\n    obj")
    )
    (tmp_path / "few.yaml").write_text(deployment[: deployment.index("    schedule:")])
    assert (
        main(["simulate", str(tmp_path / "few.yaml"), "--trace", str(quiet), "--against", "", "--report", ""])
        == 0
    )
    _, _, row, note = capsys.readouterr().out.splitlines()
    assert re.split(r"\s{2,}", row)[5] == "-"
    assert note == (
        "pointsman stays below the promised 99 %: maxReplicas allowed no more replicas in 100 % of the "
        "minutes with late requests"
    )


def test_a_file_of_any_size_is_refused_soon(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with trace.open("r+b") as stream:
        stream.truncate(2**31)
    assert simulated(trace) == 1
    assert capsys.readouterr().err == (
        f"{trace}: it is larger than 128 MiB; keep a random share of its rows, or give rates of intervals\n"
    )


def test_what_is_no_url_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(EXAMPLE), "--prometheus", "prometheus:9090"]) == 1
    assert capsys.readouterr().err == (
        "--prometheus: 'prometheus:9090' is no URL; write one such as http://localhost:9090\n"
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gzip.compress(HOUR.encode()), "it is no UTF-8 text; unpack it first"),
        (HOUR.encode("utf-16"), "it is no UTF-8 text; save it as CSV in UTF-8"),
    ],
)
def test_a_trace_that_is_no_text_says_what_to_do(
    content: bytes, said: str, trace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace.write_bytes(content)
    assert simulated(trace) == 1
    assert capsys.readouterr().err == f"{trace}: {said}\n"


def test_a_peer_that_prefers_another_pool_begins_with_a_replica_there(
    quiet: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    assert simulated(quiet, "--against", "hpa", "-o", "json", "--report", str(page)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["policies"]["hpa"]["attainedWindows"] == 1.0
    assert told["policies"]["hpa"]["againstLeast"] >= 1.0
    assert "&lt;b&gt;quiet.csv" in page.read_text()


def test_requests_beyond_the_context_are_told_and_a_full_disk_takes_the_page_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = tmp_path / "long.csv"
    long.write_text("time,input_tokens,output_tokens\n0,10000000,100\n9,10,1\n")
    assert simulated(long, "--against", "", "--report", "/dev/full") == 1
    printed = capsys.readouterr()
    assert printed.err == "/dev/full: the report cannot be written (No space left on device)\n"
    first, _, row = printed.out.splitlines()
    assert "2 requests (as recorded, 50 % cut to spec.model.contextLength)" in first
    assert re.split(r"\s{2,}", row)[5] == "-", "there is no whole window to compare with"


@pytest.mark.parametrize(
    ("command", "module", "extra"), [("simulate", "numpy", "autoscaler"), ("operator", "kopf", "cluster")]
)
def test_a_module_that_lacks_names_the_extra_that_brings_it(command: str, module: str, extra: str) -> None:
    script = (
        f"import sys; sys.modules[{module!r}] = None; from pointsman.cli.main import main; sys.exit(main())"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, command, "--help"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 1
    assert ran.stderr == f'{module} is not installed; install it with: pip install "pointsman[{extra}]"\n'


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)])
def test_whoever_ends_it_ends_its_workers_at_once(end: signal.Signals, code: int) -> None:
    command = [sys.executable, "-m", "pointsman.cli.main", "simulate", str(EXAMPLE), "--report", ""]
    with subprocess.Popen([*command, "--trace", str(EXAMPLE / "day.csv")], stderr=subprocess.PIPE) as started:
        workers: list[psutil.Process] = []
        while started.poll() is None and not any(one.cpu_times().user > 0.3 for one in workers):
            workers = psutil.Process(started.pid).children()
        started.send_signal(end)
        _, told = started.communicate(timeout=30)
    assert (started.returncode, told.strip()) == (code, b"")
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []

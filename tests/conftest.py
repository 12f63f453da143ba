"""What holds for every test: hypothesis' profiles, and that no test may pass by not running."""

import os
import signal
from collections.abc import Generator

import pytest
from hypothesis import settings

# Two cores are shared by engines, Envoy and the tests: a slow example says nothing, so there is no deadline.
settings.register_profile("local", deadline=None, print_blob=True)
# The same examples in each run: a red CI is about the change, and a lucky example is found locally.
settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# A shell lets what it starts in the background ignore Ctrl-C, and so would all that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_ADVICE = "a test never skips itself: make what it needs, or leave it to `make test-all` with the mark `long`"


def _failed(reason: object) -> str:
    text = reason[2] if isinstance(reason, tuple) else reason
    return f"{text}\n{_ADVICE}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", _failed(report.longrepr)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if report.skipped:
        report.outcome, report.longrepr = "failed", _failed(report.longrepr)
    return report

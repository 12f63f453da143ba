"""The rehearsal as a process in a network of its own, asked for one scenario after the other."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections import deque
from types import TracebackType
from typing import Any

from tests.support.processes import REPOSITORY, python_module

_START_SECONDS = 150.0
_REPORT_SECONDS = 170.0
_END_SECONDS = 60.0
_LINES_KEPT = 200


class Rehearsal:
    """Use as a context manager; nothing of it is left when it is left."""

    def __init__(self) -> None:
        inner = python_module("tests.support.cluster.rehearsal")
        self._process = subprocess.Popen(
            python_module("tests.support.cluster.own_network", *inner),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=REPOSITORY,
            start_new_session=True,
            text=True,
            errors="replace",
        )
        self._reports: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._words: deque[str] = deque(maxlen=_LINES_KEPT)
        self._reader = threading.Thread(target=self._read, daemon=True)

    def play(self, name: str, lag_seconds: float) -> dict[str, Any]:
        """A scenario's report. Raises AssertionError with what was printed where there is none."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{name} {lag_seconds:g}\n")
        self._process.stdin.flush()
        return self._report(_REPORT_SECONDS)

    def __enter__(self) -> Rehearsal:
        self._reader.start()
        try:
            self._report(_START_SECONDS)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            # What it started is tethered to it.
            self._process.kill()
            self._process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                if line.startswith("{"):
                    self._reports.put(json.loads(line))
                else:
                    self._words.append(line)
        self._reports.put(None)

    def _report(self, within_seconds: float) -> dict[str, Any]:
        try:
            report = self._reports.get(timeout=within_seconds)
        except queue.Empty:
            report = None
        assert report is not None, f"the rehearsal says nothing:\n{''.join(self._words)}"
        return report

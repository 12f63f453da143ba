"""The API server's own code, asked about our CustomResourceDefinitions and about objects of them."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.go_programs import built


class CrdJudge:
    """A running `crd_check`; `wrong_definitions` is what is wrong with the definitions themselves."""

    def __init__(self, definitions: Sequence[Path]) -> None:
        self._process = subprocess.Popen(
            [built("crd_check"), *definitions], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.wrong_definitions = self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate(timeout=30)

    def errors_of(self, document: Any) -> list[str]:
        """What a create request with this body would be refused for; empty if it would be taken."""
        if self._process.stdin is None:
            raise RuntimeError("the judge has no input")
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> list[str]:
        line = self._process.stdout.readline() if self._process.stdout is not None else ""
        if not line:
            raise RuntimeError(f"the judge ended with exit code {self._process.wait(timeout=30)}")
        answer: list[str] = json.loads(line)
        return answer

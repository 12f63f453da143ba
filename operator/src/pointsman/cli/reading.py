"""Reads what a command was pointed at, whole, before it begins."""

import sys
from collections.abc import Iterable
from pathlib import Path

from pointsman.errors import PointsmanError
from pointsman.local.files.content import NotRegularError, regular_content
from pointsman.local.files.watching import manifest_files

_STANDARD_INPUT = "-"


def read_texts(paths: Iterable[str]) -> dict[str, str]:
    """File name -> text, of files and of folders with everything below; "-" is standard input.

    Raises PointsmanError for what cannot be read.
    """
    texts: dict[str, str] = {}
    for named in paths:
        if named == _STANDARD_INPUT:
            texts["(standard input)"] = sys.stdin.read()
            continue
        path = Path(named)
        if not path.exists():
            raise PointsmanError("no such file or folder", where=named)
        files = sorted(manifest_files([path], _refuse))
        if not files:
            raise PointsmanError("has no file that ends in .yaml or .yml", where=named, todo="name one")
        texts.update({str(file): _text(file) for file in files})
    return texts


def _refuse(error: OSError) -> None:
    raise PointsmanError(f"it cannot be listed ({error.strerror})", where=str(error.filename)) from error


def _text(file: Path) -> str:
    try:
        return regular_content(file).decode("utf-8")
    except NotRegularError as error:
        raise PointsmanError(error.what, where=str(file), todo=error.todo) from error
    except UnicodeDecodeError as error:
        raise PointsmanError("it is no UTF-8 text", where=str(file)) from error
    except OSError as error:
        raise PointsmanError(f"it cannot be read ({error.strerror})", where=str(file)) from error

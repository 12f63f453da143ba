"""`python -m pointsman.routing.gate FOLDER`: compile the filter's source into FOLDER (a development tool)."""

import sys
from importlib.resources import files
from pathlib import Path

from wasmtime import wat2wasm

from pointsman.routing.gate import COMPILED, SOURCE


def main(folder: str) -> None:
    source = files("pointsman.routing.gate").joinpath(SOURCE).read_text(encoding="utf-8")
    Path(folder, COMPILED).write_bytes(bytes(wat2wasm(source)))


if __name__ == "__main__":
    main(sys.argv[1])

"""`python -m pointsman.routing.filters FOLDER`: compile the filters into FOLDER (a development tool)."""

import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from pointsman.routing.filters import SOURCES

# The same bytes on every machine: no debug information, no paths, no libraries, a fixed set of instructions.
_OPTIONS = (
    "-target", "wasm32-freestanding", "-mcpu=generic+bulk_memory", "-O2", "-std=c11", "-nostdlib",
    "-ffreestanding", "-Wall", "-Wextra", "-Werror",
    "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=16384",
)  # fmt: skip


def main(folder: str) -> None:
    """Write each filter's .wasm. Raises CalledProcessError where the compiler refuses."""
    with as_file(files("pointsman.routing.filters")) as here:
        for name, sources in SOURCES.items():
            inputs = [str(here / f"{source}.c") for source in sources]
            output = Path(folder, f"{name}.wasm")
            subprocess.run(
                [sys.executable, "-m", "ziglang", "cc", *_OPTIONS, *inputs, "-o", str(output)], check=True
            )


if __name__ == "__main__":
    main(sys.argv[1])

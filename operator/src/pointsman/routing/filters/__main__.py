"""`python -m pointsman.routing.filters FOLDER`: compile the filters into FOLDER (a development tool)."""

import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

from pointsman.routing.filters import MODULE, PROCESSORS, SOURCES

# The same bytes on every machine: no debug information, no paths, no libraries, a fixed set of instructions.
# Envoy and its C library have the few functions that are used. What C leaves undefined, and can be seen as it
# happens, ends the process instead of going on with it.
_OPTIONS = (
    "-O2", "-std=c11", "-shared", "-fPIC", "-nostdlib", "-ffreestanding", "-fvisibility=hidden",
    "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-fsanitize-trap=undefined",
    "-Wl,--strip-all", "-Wl,-z,relro", "-Wl,-z,now",
)  # fmt: skip
_TARGETS = {
    "x86_64": ("-target", "x86_64-linux-gnu.2.17", "-mcpu=x86_64"),
    "aarch64": ("-target", "aarch64-linux-gnu.2.17", "-mcpu=generic"),
}


def main(folder: str) -> None:
    """Write the module for each kind of processor. Raises CalledProcessError where the compiler refuses."""
    with as_file(files("pointsman.routing.filters")) as here:
        inputs = [str(here / f"{source}.c") for source in SOURCES]
        for processor in PROCESSORS:
            output = Path(folder, processor, MODULE)
            output.parent.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "ziglang", "cc", *_TARGETS[processor], *_OPTIONS, *inputs]
            subprocess.run([*command, "-o", str(output)], check=True)


if __name__ == "__main__":
    main(sys.argv[1])

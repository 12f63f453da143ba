"""`python -m pointsman.policy FOLDER`: write the pages about the packs into FOLDER (a development tool)."""

import sys
from importlib.resources import files
from pathlib import Path

from pointsman.policy.declarations import FILE, declarations
from pointsman.policy.packs import shipped_library
from pointsman.policy.pages import pages


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        print("usage: python -m pointsman.policy FOLDER", file=sys.stderr)
        return 2
    declared = declarations((files("pointsman.policy") / "packs" / FILE).read_text("utf-8"))
    for name, text in pages(shipped_library(), declared).items():
        page = Path(arguments[0], name)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m pointsman.api.crd FOLDER`: what `make generate` runs."""

import sys
from pathlib import Path

from pointsman.api.crd import KINDS, definition, file_name, file_text, unbounded


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m pointsman.api.crd FOLDER", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        schema = definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        lacking = [
            place for part in ("spec", "status") for place in unbounded(schema["properties"][part], part)
        ]
        if lacking:
            print(f"{kind.__name__} has fields without a bound: {'; '.join(lacking)}", file=sys.stderr)
            return 1
        (folder / file_name(kind)).write_text(file_text(kind), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m pointsman.api.crd FOLDER VALUES_SCHEMA`: what `make generate` runs."""

import sys
from pathlib import Path

from pointsman.api.crd import KINDS, definition, file_name, file_text, unbounded
from pointsman.api.crd.values import with_fleet


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: python -m pointsman.api.crd FOLDER VALUES_SCHEMA", file=sys.stderr)
        return 2
    folder, values = (Path(argument) for argument in arguments)
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
    values.write_text(with_fleet(values.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

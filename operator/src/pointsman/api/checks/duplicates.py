"""Objects that are given twice."""

from collections.abc import Iterable, Iterator

from pointsman.api.findings import Finding
from pointsman.api.located import Located, Stated
from pointsman.api.nodes import Path
from pointsman.api.resource import Resource


def given_twice(objects: Iterable[Located[Stated]]) -> Iterator[Finding]:
    """The first counts; each further one of the same kind and key is an error."""
    first: dict[tuple[str, str], Located[Stated]] = {}
    for located in objects:
        resource = located.resource
        key = str(resource.key) if isinstance(resource, Resource) else ""
        seen = first.setdefault((type(resource).__name__, key), located)
        if seen is not located:
            path: Path = ("metadata", "name") if key else ()
            place = f"{seen.file}:{seen.line(path)}" if seen.file else "another object"
            yield located.finding(path, f"given twice, first in {place}", "remove or rename one of the two")

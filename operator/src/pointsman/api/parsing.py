"""Files of YAML -> objects and findings.

A file named `fleet.yaml` (or `.yml`) holds the fleet settings, which have neither apiVersion nor kind; every
other file holds objects.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pointsman.api.documents import Document, read_documents
from pointsman.api.explanations import explain, location, what_it_is
from pointsman.api.fieldtree import field_names, record_at
from pointsman.api.findings import Finding, in_order
from pointsman.api.fleet import FleetSettings
from pointsman.api.guardrailpolicy import GuardrailPolicy
from pointsman.api.located import Located, Stated
from pointsman.api.markers import DUPLICATE_ITEM
from pointsman.api.meta import API_VERSION, DEFAULT_NAMESPACE, GROUP
from pointsman.api.misspelling import nearest
from pointsman.api.modeldeployment import ModelDeployment
from pointsman.api.modelroute import ModelRoute
from pointsman.api.nodes import Path, path_text
from pointsman.api.record import RULES_BROKEN, Rule
from pointsman.api.secret import Secret

Objects = type[ModelDeployment] | type[ModelRoute] | type[GuardrailPolicy]
OWN_KINDS: Final[dict[str, Objects]] = {
    "ModelDeployment": ModelDeployment,
    "ModelRoute": ModelRoute,
    "GuardrailPolicy": GuardrailPolicy,
}
_TESTS_OF_POLICIES: Final = {"policies", "tests"}
FLEET_FILES: Final = frozenset({"fleet.yaml", "fleet.yml"})

# Of one object, and of one file's syntax; more than that is one mistake many times.
_MOST_FINDINGS = 50
# Finding the nearest names takes a tenth of a millisecond each.
_MOST_EXPLAINED = 1000

# Parts of other APIs that we pass on: an empty value in them may have a meaning.
_OPAQUE = (("spec", "template", "affinity"), ("spec", "template", "volumes"))


def parse_documents(file_name: str, text: str) -> tuple[list[Located[Stated]], list[Finding]]:
    """The objects of a file that can be used, and everything that is wrong with the others.

    Objects of other projects are left out with a warning. Never raises for any text.
    """
    documents, problems = read_documents(text)
    findings = [
        Finding("error", path_text(p.path), p.what, p.todo, file=file_name, line=p.position.line)
        for p in problems
    ]
    findings = _first(findings)
    already = {(finding.line, finding.path) for finding in findings}
    objects: list[Located[Stated]] = []
    is_fleet = file_name.rsplit("/", 1)[-1] in FLEET_FILES
    for document in documents:
        reader = _Reader(file_name, document)
        found = reader.read_fleet() if is_fleet else reader.read_object()
        if found is not None:
            objects.append(found)
        new = [finding for finding in reader.findings if (finding.line, finding.path) not in already]
        findings.extend(_first(new))
    return objects, in_order(findings)


class _Reader:
    """Reads one document."""

    def __init__(self, file: str, document: Document) -> None:
        self.findings: list[Finding] = []
        self._file = file
        self._document = document
        self._subject = {"kind": "", "namespace": "", "name": ""}

    def read_fleet(self) -> Located[Stated] | None:
        data = self._document.plain()
        self._subject["kind"] = "FleetSettings"
        if not isinstance(data, dict):
            self._add((), f"the fleet settings must be a mapping, not {what_it_is(data)}", "write key: value")
            return None
        if "kind" in data or "apiVersion" in data:
            where: Path = ("kind",) if "kind" in data else ("apiVersion",)
            self._add(
                where, "the fleet settings have no kind", "write their keys plainly, or rename this file"
            )
            return None
        return self._validate(FleetSettings, data)

    def read_object(self) -> Located[Stated] | None:
        data = self._document.plain()
        if not isinstance(data, dict):
            self._add(
                (), f"an object must be a mapping, not {what_it_is(data)}", "begin with apiVersion and kind"
            )
            return None
        if set(data) == _TESTS_OF_POLICIES:
            self._add((), "tests of policies, and no object", "run them: pointsman policy test FILE")
            return None
        self._name(data)
        model = self._model(data.get("apiVersion"), data.get("kind"))
        if model is None:
            return None
        if not model.namespaced:
            self._subject["namespace"] = ""
        data.pop("status", None)  # what a file says about the state is not what is
        return self._validate(model, data)

    def _name(self, data: dict[str, Any]) -> None:
        metadata = data.get("metadata")
        metadata = metadata if isinstance(metadata, dict) else {}
        kind, name = data.get("kind"), metadata.get("name")
        namespace = metadata.get("namespace")
        self._subject["kind"] = _shown(kind)
        self._subject["name"] = _shown(name)
        self._subject["namespace"] = _shown(namespace) or DEFAULT_NAMESPACE

    def _model(self, api_version: object, kind: object) -> Objects | type[Secret] | None:
        """Which kind it is; None, with a finding, where it is none of ours."""
        if kind is None:
            self._add(("kind",), "is required", f"write one of {', '.join(OWN_KINDS)}, Secret")
            return None
        if not isinstance(kind, str):
            self._add(
                ("kind",), f"must be text, not {what_it_is(kind)}", f"write one of {', '.join(OWN_KINDS)}"
            )
            return None
        if api_version is None:
            todo = f"write apiVersion: {'v1' if kind == 'Secret' else API_VERSION}"
            self._add(("apiVersion",), "is required", todo)
            return None
        if not isinstance(api_version, str):
            self._add(("apiVersion",), f"must be text, not {what_it_is(api_version)}", f"write {API_VERSION}")
            return None
        if api_version == API_VERSION:
            return self._own(kind)
        if api_version == "v1" and kind == "Secret":
            return Secret
        meant = kind if kind in OWN_KINDS else None
        ours = api_version.split("/")[0] == GROUP or nearest(api_version, [API_VERSION, GROUP]) is not None
        if ours or (meant is not None and "/" not in api_version):
            self._add(("apiVersion",), "unknown apiVersion", f"write {API_VERSION}")
        elif kind == "Secret":
            self._add(("apiVersion",), "unknown apiVersion", "write v1")
        else:
            shown = _shown(kind) or "this kind"
            todo = "keep it, if something else reads it"
            self._add(
                ("kind",), f"{shown} is not one of Pointsman's kinds and is not read", todo, warning=True
            )
        return None

    def _own(self, kind: str) -> Objects | None:
        if kind in OWN_KINDS:
            return OWN_KINDS[kind]
        if kind in ("FleetSettings", "Fleet"):
            self._add(
                ("kind",), "the fleet settings are no kind", "write their keys plainly into a file fleet.yaml"
            )
            return None
        meant = nearest(kind, OWN_KINDS)
        known = f"did you mean {meant}?" if meant is not None else f"known: {', '.join(OWN_KINDS)}"
        self._add(("kind",), "unknown kind", known)
        return None

    def _validate(
        self, model: Objects | type[Secret] | type[FleetSettings], data: dict[str, Any]
    ) -> Located[Stated] | None:
        empty = self._take_out_empty(model, data)
        try:
            resource = model.model_validate(data, extra="forbid", by_alias=True, by_name=False)
        except ValidationError as error:
            for details in error.errors(include_url=False)[:_MOST_EXPLAINED]:
                path = location(details)
                if details["type"] == RULES_BROKEN:
                    self._add_rules(path, details["ctx"]["broken"])
                elif not _is_consequence(details, path, empty):
                    if details["type"] == DUPLICATE_ITEM:
                        path = (*path, details["ctx"]["index"])
                    self._add_details(path, *explain(details, model, path))
            return None
        if empty:
            return None
        return Located(resource, self._file, self._document)

    def _take_out_empty(
        self, model: Objects | type[Secret] | type[FleetSettings], data: dict[str, Any]
    ) -> set[Path]:
        """Removes values that are null: a mistake in a spec (the API server refuses them too)."""
        wrong: set[Path] = set()
        for path, parent, key in list(_empty_values(data, ())):
            above = record_at(model, path[:-1])
            if above is not None and key not in field_names(above):
                continue  # unknown, which says more
            del parent[key]
            tolerated = path[0] == "metadata" or (model is Secret and len(path) == 1)
            if not tolerated:
                wrong.add(path)
                self._add(path, "has no value", "write one, or remove the line")
        return wrong

    def _add_rules(self, location: Path, broken: list[Rule]) -> None:
        for rule in broken:
            below = tuple(rule.field.split(".")) if rule.field else ()
            self._add((*location, *below), rule.what, rule.todo)

    def _add_details(self, path: Path, what: str, todo: str) -> None:
        spelled = self._document.key_text(path)
        if path and path[-1] in ("true", "false") and spelled not in ("", path[-1]):
            what = f"{what}, and YAML reads {spelled} as {path[-1]}"
            self._add(path, what, todo, shown=(*path[:-1], spelled))
        else:
            self._add(path, what, todo)

    def _add(self, path: Path, what: str, todo: str, *, warning: bool = False, shown: Path = ()) -> None:
        self.findings.append(
            Finding(
                severity="warning" if warning else "error",
                path=path_text(shown or path),
                what=what,
                todo=todo,
                file=self._file,
                line=self._document.position_of(path).line,
                kind=self._subject["kind"],
                namespace=self._subject["namespace"],
                name=self._subject["name"],
            )
        )


def _is_consequence(details: ErrorDetails, location: Path, empty: set[Path]) -> bool:
    """Whether an error only follows from another one: an empty value was taken out, or a list counts only
    the items without errors.
    """
    if details["type"] == "missing":
        return location in empty
    if details["type"] == "too_short":
        return bool(len(details["input"]) >= details["ctx"]["min_length"])
    return False


def _first(findings: list[Finding]) -> list[Finding]:
    """The first findings of an object, and one that stands for the rest: nobody reads a thousand lines."""
    if len(findings) <= _MOST_FINDINGS:
        return findings
    by_line = in_order(findings)
    what = "further findings from here on are not shown"
    return [
        *by_line[:_MOST_FINDINGS],
        replace(by_line[_MOST_FINDINGS], what=what, todo="correct these first"),
    ]


def _shown(value: object) -> str:
    """A name as a finding may repeat it: short and printable, else nothing."""
    return value if isinstance(value, str) and value.isprintable() and len(value) <= 253 else ""


def _empty_values(data: Any, path: Path) -> Iterator[tuple[Path, dict[str, Any], str]]:
    if path in _OPAQUE:
        return
    if isinstance(data, dict):
        for key, value in data.items():
            if value is None:
                yield (*path, key), data, key
            else:
                yield from _empty_values(value, (*path, key))
    elif isinstance(data, list):
        for index, item in enumerate(data):
            yield from _empty_values(item, (*path, index))

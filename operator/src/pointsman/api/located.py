"""An object together with the place it came from, so that a check can point at the line."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from pointsman.api.documents import Document
from pointsman.api.findings import Finding, Severity
from pointsman.api.fleet import FleetSettings
from pointsman.api.guardrailpolicy import GuardrailPolicy
from pointsman.api.modeldeployment import ModelDeployment
from pointsman.api.modelroute import ModelRoute
from pointsman.api.nodes import Path, path_of, path_text
from pointsman.api.resource import Resource
from pointsman.api.secret import Secret

Stated = ModelDeployment | ModelRoute | GuardrailPolicy | Secret | FleetSettings
R_co = TypeVar("R_co", bound=Stated, covariant=True)


@dataclass(frozen=True)
class Located(Generic[R_co]):
    """An object; `file` and `document` are empty for one that came from an API server."""

    resource: R_co
    file: str = ""
    document: Document | None = None

    def line(self, path: Path = ()) -> int:
        """The line of a field, counted from 1; 0 where there is no file."""
        return self.document.position_of(path).line if self.document is not None else 0

    def finding(
        self, path: Path, what: str, todo: str, *, rule_id: str = "", severity: Severity = "error"
    ) -> Finding:
        metadata = self.resource.metadata if isinstance(self.resource, Resource) else None
        return Finding(
            severity=severity,
            path=path_text(path),
            what=what,
            todo=todo,
            rule_id=rule_id,
            file=self.file,
            line=self.line(path),
            kind=type(self.resource).__name__,
            namespace=self.resource.key.namespace if isinstance(self.resource, Resource) else "",
            name=metadata.name if metadata is not None else "",
        )

    def placed(self, finding: Finding) -> Finding:
        """A finding of this object that knows its field alone, with its file and line."""
        return replace(finding, file=self.file, line=self.line(path_of(finding.path)))

"""What the kinds have in common: metadata, a key, and what a CustomResourceDefinition needs."""

from typing import Any, ClassVar

from pointsman.api.markers import Column, Scale
from pointsman.api.meta import ObjectKey, ObjectMeta
from pointsman.api.record import Record, Rule

NAME_FITS_A_LABEL = Rule(
    cel="size(self.metadata.name) <= 63",
    holds=lambda resource: len(resource.metadata.name) <= 63,
    what="the name is longer than 63 characters, which is what a label value may have",
    todo="choose a shorter name",
    field="metadata.name",
)


class Resource(Record):
    """An object with a name; subclasses add `api_version`, `kind`, `spec` and `status`."""

    metadata: ObjectMeta

    constraints = (NAME_FITS_A_LABEL,)
    plural: ClassVar[str]
    short_name: ClassVar[str]
    namespaced: ClassVar[bool] = True
    scale: ClassVar[Scale | None] = None
    columns: ClassVar[tuple[Column, ...]] = ()

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.metadata.namespace if self.namespaced else "", self.metadata.name)

    def to_document(self) -> dict[str, Any]:
        """The object as a file would say it, always with its apiVersion and kind."""
        identity = self.model_dump(mode="json", by_alias=True, include={"api_version", "kind"})
        return {**identity, **super().to_document()}

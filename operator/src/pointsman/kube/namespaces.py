"""Namespaces as they are asked for, where all of them may not be read."""

from collections.abc import Sequence

from pointsman.kube.objects import NAMESPACE
from pointsman.kube.ports import Selection


def namespace_selections(names: Sequence[str]) -> list[Selection]:
    """These namespaces, all if there are none: a right to some of them holds for one that is asked for by its
    name.
    """
    return [Selection(NAMESPACE, fields=f"metadata.name={name}") for name in names] or [Selection(NAMESPACE)]

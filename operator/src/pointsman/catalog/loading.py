"""From YAML text to the catalogue; what does not fit is refused in one line that names file and field."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from pointsman.api.nodes import path_text
from pointsman.api.record import Record
from pointsman.catalog.accelerators import Accelerator
from pointsman.catalog.engines import EngineFacts
from pointsman.catalog.models import KnownModel
from pointsman.errors import PointsmanError

ENGINES = "engines/"
ACCELERATORS = "accelerators.yaml"
MODELS = "models.yaml"

_Kind = TypeVar("_Kind", bound=BaseModel)


class _Accelerators(Record):
    accelerators: tuple[Accelerator, ...]


class _Models(Record):
    models: tuple[KnownModel, ...]


@dataclass(frozen=True)
class Catalog:
    """All facts, by name. `revision` changes with any byte of the data."""

    revision: str
    engines: Mapping[str, EngineFacts]
    accelerators: Mapping[str, Accelerator]
    models: Mapping[str, KnownModel]

    def model_at(self, source: str) -> KnownModel | None:
        """The model that a deployment's `model.source` names, or None where it is unknown."""
        return next((model for model in self.models.values() if model.is_at(source)), None)


@cache
def shipped_catalog() -> Catalog:
    """The catalogue that came with this version of Pointsman. PointsmanError when its data is broken."""
    root = resources.files("pointsman.catalog") / "data"
    files = [*root.iterdir(), *(root / "engines").iterdir()]
    return read_catalog(
        {
            (ENGINES if file.name not in (ACCELERATORS, MODELS) else "") + file.name: file.read_text("utf-8")
            for file in files
            if file.name.endswith(".yaml")
        }
    )


def read_catalog(texts: Mapping[str, str]) -> Catalog:
    """A catalogue from its files' texts, by path below the data folder (`engines/vllm.yaml`, `models.yaml`).

    PointsmanError for the first thing that does not fit: a syntax error, an unknown or missing field, a wrong
    type, a name that stands twice.
    """
    engines, accelerators, models = [], [], []
    for path, text in sorted(texts.items()):
        if path.startswith(ENGINES):
            engines.append((path, _record(EngineFacts, path, text)))
        elif path == ACCELERATORS:
            accelerators += [(path, item) for item in _record(_Accelerators, path, text).accelerators]
        elif path == MODELS:
            models += [(path, item) for item in _record(_Models, path, text).models]
        else:
            raise PointsmanError(
                "is no file of the catalogue",
                where=path,
                todo=f"name it {ENGINES}NAME.yaml, {ACCELERATORS} or {MODELS}",
            )
    digest = hashlib.sha256(repr(sorted(texts.items())).encode()).hexdigest()
    return Catalog(digest[:12], _by_name(engines), _by_name(accelerators), _by_name(models))


def _record(kind: type[_Kind], path: str, text: str) -> _Kind:
    try:
        return kind.model_validate(yaml.safe_load(text))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise PointsmanError(f"is no YAML: {error.problem}", where=f"{path}{line}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        message = first["msg"].removeprefix("Value error, ")
        field = path_text(first["loc"]) or "the document"
        raise PointsmanError(f"{message}{more}", where=f"{path}: {field}") from error


def _by_name(found: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    named: dict[str, Any] = {}
    for path, item in found:
        if item.name in named:
            raise PointsmanError(f"{item.name} stands twice", where=path, todo="keep one")
        named[str(item.name)] = item
    return MappingProxyType(named)

"""The packs that come with Pointsman, read from their files."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TypeVar

import yaml
from pydantic import ValidationError

from pointsman.api.nodes import path_text
from pointsman.errors import PointsmanError
from pointsman.policy.background import LOOKS
from pointsman.policy.source import FrameworkSource, PackSource, RuleSource

_PACK = "pack.yaml"
_FRAMEWORKS = "frameworks.yaml"

_Source = TypeVar("_Source", PackSource, RuleSource, FrameworkSource)


@dataclass(frozen=True)
class Pack:
    """A set of rules with the parameters that they share."""

    name: str
    source: PackSource
    rules: Mapping[str, RuleSource]


@dataclass(frozen=True)
class Library:
    """Every pack and every framework, by name."""

    packs: Mapping[str, Pack]
    frameworks: Mapping[str, FrameworkSource]


@cache
def shipped_library() -> Library:
    """What came with this version of Pointsman. PointsmanError when its data is broken."""
    root = resources.files("pointsman.policy") / "packs"
    files = {
        f"{folder.name}/{file.name}": file.read_text("utf-8")
        for folder in root.iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".yaml")
    }
    return read_library({**files, _FRAMEWORKS: (root / _FRAMEWORKS).read_text("utf-8")})


def read_library(texts: Mapping[str, str]) -> Library:
    """From file names, such as `cost/pack.yaml`, and their texts. PointsmanError names file and field."""
    folders: dict[str, dict[str, str]] = {}
    for name, text in texts.items():
        folder, slash, file = name.partition("/")
        if slash:
            folders.setdefault(folder, {})[file] = text
    packs = {name: _pack(name, files) for name, files in sorted(folders.items())}
    _refuse_twins(packs.values())
    frameworks = _frameworks(texts.get(_FRAMEWORKS, "{}"))
    return Library(packs, frameworks)


def _pack(name: str, files: Mapping[str, str]) -> Pack:
    if _PACK not in files:
        raise PointsmanError("has no pack.yaml", where=f"policies/{name}", todo="add one")
    source = _read(PackSource, f"{name}/{_PACK}", files[_PACK])
    rules = {}
    for file, text in sorted(files.items()):
        if file == _PACK:
            continue
        rule = _read(RuleSource, f"{name}/{file}", text)
        if file != f"{rule.id}.yaml":
            raise PointsmanError(
                f"holds rule {rule.id}", where=f"{name}/{file}", todo="name file and rule alike"
            )
        if rule.background is not None and rule.unseen is None and rule.background not in LOOKS:
            raise PointsmanError(
                f"there is no look called {rule.background}",
                where=f"{name}/{file}: background",
                todo=f"there are {', '.join(LOOKS)}; or say with unseen why nobody can take it",
            )
        rules[rule.id] = rule
    return Pack(name, source, rules)


def _frameworks(text: str) -> dict[str, FrameworkSource]:
    document = yaml.safe_load(text) or {}
    return {name: _checked(FrameworkSource, f"{_FRAMEWORKS}: {name}", one) for name, one in document.items()}


def _read(kind: type[_Source], file: str, text: str) -> _Source:
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise PointsmanError(" ".join(str(error).split()), where=file) from None
    return _checked(kind, file, document)


def _checked(kind: type[_Source], file: str, document: object) -> _Source:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        at = path_text(first["loc"])
        raise PointsmanError(first["msg"], where=f"{file}: {at}" if at else file) from None


def _refuse_twins(packs: Iterable[Pack]) -> None:
    holder: dict[str, str] = {}
    for pack in packs:
        for rule in pack.rules:
            if rule in holder:
                raise PointsmanError(f"rule {rule} is in {holder[rule]} too", where=f"policies/{pack.name}")
            holder[rule] = pack.name

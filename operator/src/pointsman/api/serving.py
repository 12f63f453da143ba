"""An own model: which weights, and the engine that serves them."""

import re
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StrictInt

from pointsman.api.markers import ListMap, ListSet
from pointsman.api.meta import Credentials, SecretKeySelector
from pointsman.api.names import (
    EnvironmentName,
    ImageReference,
    LongText,
    ModelName,
    PositiveCount,
    Revision,
    Sha256,
    SourceUri,
    Text,
    Word,
)
from pointsman.api.record import Record, Rule
from pointsman.api.scalars import ParameterCount


class Quantization(StrEnum):
    NONE = "none"
    FP8 = "fp8"
    INT8 = "int8"
    AWQ = "awq"
    GPTQ = "gptq"
    NVFP4 = "nvfp4"
    MXFP4 = "mxfp4"
    GGUF = "gguf"


class EngineName(StrEnum):
    VLLM = "vllm"
    SGLANG = "sglang"
    LLAMA_CPP = "llama.cpp"
    TEI = "tei"
    TRITON = "triton"
    CUSTOM = "custom"


class Adapter(Record):
    """A LoRA adapter that is loaded beside the weights; a target of a ModelRoute names it."""

    name: ModelName
    source: SourceUri
    revision: Revision | None = None


class ModelFacts(Record):
    """What placement must know of a model that the catalogue does not know."""

    parameters: ParameterCount
    layers: Annotated[StrictInt, Field(ge=1, le=10_000)]
    kv_heads: Annotated[StrictInt, Field(ge=1, le=10_000)]
    head_dim: Annotated[StrictInt, Field(ge=1, le=65_536)]


_CHECKSUM_SOURCES = re.compile(r"(file|https|package|hf)://")


class Model(Record):
    """Which weights, exactly."""

    source: SourceUri
    """hf://owner/name[/file], s3, gs, az, oci, pvc or https; package://NAME, a Python package that holds a
    GGUF file (in a cluster: installed in Pointsman's own image); file:// in local mode.
    """
    revision: Revision | None = None
    """The exact version at the source: a commit, a tag, a version of the package."""
    sha256: Sha256 | None = None
    """The checksum of the weights file, where the source is one file."""
    credentials: Credentials | None = None
    served_names: Annotated[tuple[ModelName, ...], Field(max_length=16), ListSet()] = ()
    """The names the engine answers to; default: the object's own name."""
    context_length: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None
    """Tokens that prompt and answer may have together; default: what the model was made for."""
    quantization: Quantization | None = None
    adapters: Annotated[tuple[Adapter, ...], Field(max_length=64), ListMap("name")] = ()
    facts: ModelFacts | None = None

    constraints = (
        Rule(
            cel="!has(self.sha256) || self.source.matches('^(file|https|package|hf)://')",
            holds=lambda model: model.sha256 is None or _CHECKSUM_SOURCES.match(model.source) is not None,
            what="sha256 is the checksum of one file and holds for file, https, package and hf sources only",
            todo="remove sha256",
            field="sha256",
        ),
    )


class EnvironmentSource(Record):
    secret_key_ref: SecretKeySelector


class EnvironmentVariable(Record):
    """A variable of the engine's environment: a plain value, or one from a Secret."""

    name: EnvironmentName
    value: Text | None = None
    value_from: EnvironmentSource | None = None

    constraints = (
        Rule(
            cel="has(self.value) != has(self.valueFrom)",
            holds=lambda variable: (variable.value is None) != (variable.value_from is None),
            what="exactly one of value and valueFrom must be given",
            todo="state one of them",
        ),
    )


class Engine(Record):
    """The server that runs the model."""

    name: EngineName
    version: Word | None = None
    """A version the catalogue knows; default: the catalogue's newest."""
    image: ImageReference | None = None
    """An image of your own instead of a version, pinned by digest: name@sha256:…"""
    args: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=4096)], ...], Field(max_length=64)
    ] = ()
    """Further arguments, after ours; an argument that a field of this object sets is refused."""
    env: Annotated[tuple[EnvironmentVariable, ...], Field(max_length=64), ListMap("name")] = ()
    chat_template: LongText | None = None
    """A Jinja template, where the model brings none or a wrong one."""
    max_concurrency: PositiveCount | None = None
    """How many requests one replica may work on at once; default: what placement found."""

    constraints = (
        Rule(
            cel="!(has(self.version) && has(self.image))",
            holds=lambda engine: engine.version is None or engine.image is None,
            what="version and image contradict each other",
            todo="state one of them",
            field="image",
        ),
        Rule(
            cel="self.name != 'custom' || has(self.image)",
            holds=lambda engine: engine.name != EngineName.CUSTOM or engine.image is not None,
            what="a custom engine has no image of ours",
            todo="state engine.image",
            field="image",
        ),
    )

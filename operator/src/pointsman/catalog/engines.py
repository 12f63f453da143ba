"""The facts of one engine: what it can do, where it listens, how it starts, and which arguments are ours."""

import math
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from pointsman.api import EngineName, FallbackReason, Quantization, Task
from pointsman.api.record import Record
from pointsman.catalog.launch import Launch
from pointsman.catalog.metrics import EngineMetric
from pointsman.catalog.versions import EngineVersion, in_range

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Path = Annotated[str, StringConstraints(max_length=256, pattern=r"^/[^\s]*$")]
_Flag = Annotated[str, StringConstraints(max_length=64, pattern=r"^--?[a-z][a-z0-9-]*$")]
_Variable = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")]
_FieldPath = Annotated[str, StringConstraints(max_length=128, pattern=r"^spec(\.[a-zA-Z]+)+$")]
_Capability = Annotated[str, StringConstraints(pattern=r"^([0-9]+\.[0-9]|gfx[0-9a-f]+)$")]
_Port = Annotated[StrictInt, Field(ge=1, le=65535)]

BYTES_PER_GIBIBYTE = 2**30


def plain_flag(argument: str) -> str:
    """The flag of an argument as the tables spell it: without its value, with dashes for underscores."""
    flag = argument.split("=", 1)[0]
    return f"--{flag[2:].replace('_', '-')}" if flag.startswith("--") else flag


class Image(Record):
    """A container image, and the accelerators it is built for."""

    reference: Annotated[str, StringConstraints(max_length=512, pattern=r"^[a-z0-9][A-Za-z0-9._:/{}-]*$")]
    """`{version}` stands for the engine's version."""
    vendor: Literal["nvidia", "amd", "intel", "google", "aws", "cpu", "any"]
    capabilities: tuple[_Capability, ...] = ()
    """The compute capabilities it is built for; empty: all that the engine runs on."""
    tasks: tuple[Task, ...] = ()
    """What it is for, where the engine has an image of its own for some tasks."""
    version: EngineVersion | None = None
    """The newest of this image, where it is not the engine's."""
    command: tuple[_Text, ...] = ()
    """How it is started, where that is not the engine's command."""
    since: EngineVersion | None = None
    before: EngineVersion | None = None

    def exists_in(self, version: str | None) -> bool:
        return self.before is None if version is None else in_range(version, self.since, self.before)


class Endpoints(Record):
    """Where the engine answers; paths below its own address."""

    alive: _Path
    """Tells that the process lives, which says little about whether it serves."""
    ready: _Path
    """Tells that the model is loaded; a replica counts as ready only after it answered with a token too."""
    models: _Path | None = None
    metrics: _Path | None = None
    metrics_port: _Port | None = None
    """Where it differs from the engine's port."""
    tasks: dict[Task, _Path] = Field(default_factory=dict)


class Startup(Record):
    """How long a start may take before it counts as failed; a part of it grows with the weights."""

    fixed_seconds: Annotated[StrictInt, Field(ge=1, le=3600)]
    seconds_per_gibibyte: Annotated[float, Field(gt=0, le=600)]
    source: _Text

    def budget_seconds(self, weights_bytes: int) -> int:
        return math.ceil(self.fixed_seconds + self.seconds_per_gibibyte * weights_bytes / BYTES_PER_GIBIBYTE)


class Shutdown(Record):
    """What the engine does with running requests when it is asked to stop."""

    on_terminate: Literal["aborts", "finishes", "finishesWithoutLimit"]
    argument: _Flag | None = None
    """The argument that bounds or enables draining, in seconds."""
    since: EngineVersion | None = None
    stop_seconds: Annotated[StrictInt, Field(ge=1, le=600)] = 10
    """How long the engine itself takes to end, once nothing runs."""
    source: _Text


class Lifetime(Record):
    """In which versions an argument, a quantisation or a task exists, where not in all of them."""

    flags: tuple[_Flag, ...] = ()
    quantizations: tuple[Quantization, ...] = ()
    tasks: tuple[Task, ...] = ()
    since: EngineVersion | None = None
    before: EngineVersion | None = None
    """The first version that no longer has it."""
    todo: _Text

    def covers(self, version: str | None) -> bool:
        """Whether a version has it; without a version, whether the newest has it."""
        return self.before is None if version is None else in_range(version, self.since, self.before)

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.since is None and self.before is None:
            raise ValueError("says neither since nor before")
        return self


class MissingPart(Record):
    """What the published image lacks for a task, so that the user must bring an image."""

    task: Task
    todo: _Text


class OwnedArgument(Record):
    """An argument or variable that Pointsman sets itself, and the field that decides its value."""

    flags: tuple[_Flag, ...] = ()
    variables: tuple[_Variable, ...] = ()
    field: _FieldPath | None = None
    """The field of the ModelDeployment that says the same; None where there is nothing for a user to say."""
    todo: _Text | None = None
    """What to do instead, where "use <field>" would not say it."""

    @property
    def advice(self) -> str:
        """What the user should do instead, as the end of a one-line error."""
        return self.todo or f"use {self.field}"

    @model_validator(mode="after")
    def _says_what_to_do(self) -> Self:
        if not self.flags and not self.variables:
            raise ValueError("names neither flags nor variables")
        if self.field is None and self.todo is None:
            raise ValueError("says neither field nor todo")
        return self


class ErrorShape(Record):
    """How the engine words a failure that has a meaning for routing."""

    means: FallbackReason | Literal["loading", "unsupported", "invalidRequest", "unknownPath"]
    status: Annotated[StrictInt, Field(ge=400, le=599)]
    type: Annotated[str, StringConstraints(min_length=1, max_length=128)]
    """The value of `error.type` in the JSON body."""


class EngineFacts(Record):
    """One engine. `verified` is False where facts stand on memory: check them before relying on them."""

    name: EngineName
    summary: _Text
    source: _Text
    verified: StrictBool
    version: EngineVersion | None = None
    """The newest that the catalogue knows, taken where a deployment names none."""
    tasks: tuple[Task, ...]
    quantizations: tuple[Quantization, ...]
    port: _Port
    images: tuple[Image, ...] = ()
    endpoints: Endpoints
    served_names: Literal["many", "one", "none"]
    """How many names the engine can answer to."""
    context: Literal["perRequest", "sharedBySlots", "ofModel"]
    """Whether the context argument is one request's, or is divided by the number of slots; ofModel: there is
    no such argument.
    """
    startup: Startup
    shutdown: Shutdown
    launch: Launch = Field(default_factory=Launch)
    oldest: EngineVersion | None = None
    """The oldest version whose arguments are known here."""
    online_quantizations: dict[Quantization, _Text] = Field(default_factory=dict)
    """What the engine does itself while it loads, and its own word for it; the others are read from the
    files."""
    lifetimes: tuple[Lifetime, ...] = ()
    missing_parts: tuple[MissingPart, ...] = ()
    arguments: tuple[OwnedArgument, ...] = ()
    abbreviated_flags: StrictBool = False
    """Whether its parser takes the beginning of a flag for the flag, as Python's does."""
    errors: tuple[ErrorShape, ...] = ()
    metrics: tuple[EngineMetric, ...] = ()

    def metric_names(self, version: str | None = None) -> dict[str, EngineMetric]:
        """The metrics that a version has, by our name; without a version, those of the newest."""
        return {metric.name.value: metric for metric in self.metrics if metric.exists_in(version)}

    def lifetime_of(self, argument: str, version: str | None) -> Lifetime | None:
        """Why a version does not have an entry of `spec.engine.args`, or None where nothing is known
        against it.
        """
        flag = plain_flag(argument)
        return next((row for row in self.lifetimes if flag in row.flags and not row.covers(version)), None)

    @model_validator(mode="after")
    def _owns_each_argument_once(self) -> Self:
        names = [name for argument in self.arguments for name in (*argument.flags, *argument.variables)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"owns {', '.join(twice)} twice")
        return self

"""How an engine is started in a container: command, arguments and variables, as rows with version ranges.

The rows say what an engine is told and in which versions; what the values are (where the weights lie, how
many devices there are) is the business of whoever starts it. Paths that stand in rows are the container's
own folders: `/cache` and `/tmp` can be written, `/weights` and `/etc/pointsman` only read.
"""

from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from pointsman.api.record import Record
from pointsman.catalog.versions import EngineVersion, in_range

_Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_Flag = Annotated[str, StringConstraints(max_length=64, pattern=r"^--?[a-z][a-z0-9-]*$")]
_Path = Annotated[str, StringConstraints(max_length=100, pattern=r"^/[a-z0-9_/]+$")]
_Variable = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Z][A-Z0-9_]*$")]


class LaunchValue(StrEnum):
    """What Pointsman knows at the start of an engine. A row whose value is empty or 0 is left out."""

    WEIGHTS = "weights"
    """The folder or file that holds the weights."""
    REPOSITORY = "repository"
    """The folder of generated configuration files, for engines that read one."""
    HOST = "host"
    PORT = "port"
    SERVED_NAMES = "servedNames"
    SERVED_NAME = "servedName"
    CONTEXT_LENGTH = "contextLength"
    """Tokens of one request."""
    TOTAL_CONTEXT = "totalContext"
    """Tokens of all requests together, for engines that divide their context by slots."""
    CONCURRENCY = "concurrency"
    MEMORY_SHARE = "memoryShare"
    """The share of each device's memory that placement counted on."""
    TENSOR = "tensor"
    PIPELINE = "pipeline"
    NODES = "nodes"
    RANK = "rank"
    LEADER_ADDRESS = "leaderAddress"
    LEADER_PORT = "leaderPort"
    LEADER_ENDPOINT = "leaderEndpoint"
    POD_ADDRESS = "podAddress"
    DRAIN_SECONDS = "drainSeconds"
    STARTUP_SECONDS = "startupSeconds"
    QUANTIZATION = "quantization"
    """Only a quantisation that the engine applies itself; one that the files have is read from them."""
    CHAT_TEMPLATE = "chatTemplate"
    ADAPTERS = "adapters"
    """One `name=path` each."""
    ADAPTER_COUNT = "adapterCount"
    LOADED_ADAPTERS = "loadedAdapters"
    """How many adapters one batch may mix."""


class LaunchCondition(StrEnum):
    """When a row counts; all the conditions of a row must hold."""

    ACCELERATOR = "accelerator"
    CPU = "cpu"
    HALF_PRECISION = "halfPrecision"
    """The device has no bf16."""
    TOKENS = "tokens"
    """The model reads or writes tokens: anything but speech and images."""
    MEDIA = "media"
    """The model makes speech or images."""
    POOLS = "pools"
    """The model embeds or ranks and writes nothing."""
    EMBEDS = "embeds"
    RANKS = "ranks"
    """The model pools and does not embed."""
    ADAPTERS = "adapters"
    LIVE_ADAPTERS = "liveAdapters"
    """Adapters come and go while the engine runs; none is named at its start."""
    MULTI_NODE = "multiNode"
    WORKER = "worker"
    """This process is not the first of its group of nodes."""


class _Row(Record):
    text: _Text | None = None
    takes: LaunchValue | None = None
    when: tuple[LaunchCondition, ...] = ()
    since: EngineVersion | None = None
    before: EngineVersion | None = None
    """The first version that it no longer holds for."""

    def holds_in(self, version: str | None) -> bool:
        """Whether the row counts for a version; without one, for the newest."""
        return self.before is None if version is None else in_range(version, self.since, self.before)


class LaunchArgument(_Row):
    """One argument, in the order in which it is given; without a flag it is positional."""

    flag: _Flag | None = None
    joined: Literal["separate", "comma"] = "separate"
    """How several values are given: one argument each, or one for all."""

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if self.flag is None and (self.text is None) == (self.takes is None):
            raise ValueError("a positional argument needs text or takes")
        if self.text is not None and self.takes is not None:
            raise ValueError("text and takes contradict each other")
        return self


class LaunchVariable(_Row):
    """One environment variable."""

    name: _Variable

    @model_validator(mode="after")
    def _gives_something(self) -> Self:
        if (self.text is None) == (self.takes is None):
            raise ValueError("exactly one of text and takes must be given")
        return self


class LiveAdapters(Record):
    """How a running engine is told of adapters, by those who reach it from its own pod."""

    load: _Path
    """Takes `lora_name` and `lora_path`."""
    unload: _Path
    """Takes `lora_name`."""
    since: EngineVersion
    """The first version that never answers from what it computed with other weights of the same name."""
    in_place_since: EngineVersion | None = None
    """The first version that loads other weights over those of a name, asked with `load_inplace`."""
    not_with: tuple[_Flag, ...] = ()
    """Arguments with which it is several processes, of which only one would hear."""

    def holds_in(self, version: str | None) -> bool:
        """Whether a version can; nobody knows of an image of the user's."""
        return version is not None and in_range(version, self.since, None)

    def is_in_place(self, version: str | None) -> bool:
        """Whether a version loads over a name, so that it answers all the while."""
        since = self.in_place_since
        return since is not None and version is not None and in_range(version, since, None)


class Launch(Record):
    """How the container runs. Engines are started as the first process, never by a shell: it would keep
    SIGTERM to itself.
    """

    command: tuple[_Text, ...] = ()
    """Empty: what the image starts by itself."""
    arguments: tuple[LaunchArgument, ...] = ()
    variables: tuple[LaunchVariable, ...] = ()
    read_only_root: StrictBool = False
    """Whether the engine writes only where it is given a folder."""
    shared_memory_mebibytes: Annotated[StrictInt, Field(ge=0, le=1_000_000)] = 0
    """For /dev/shm, whose 64 MiB end the engines that pass tensors between their processes."""
    weights: Literal["folder", "file", "either"] = "either"
    """What the engine takes as its weights."""
    weights_file: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.-]*$", max_length=64)] = ""
    """What a single file is called where the source does not name one."""
    adapters: StrictBool = False
    """Whether clients can ask for an adapter by its name."""
    adapters_since: EngineVersion | None = None
    """The first version that clients can; None: all that are known."""
    live_adapters: LiveAdapters | None = None
    """None: another list of adapters is another start."""
    chat_template: StrictBool = False
    multi_node_since: EngineVersion | None = None
    """The first version that spans nodes without further software; None: none does."""

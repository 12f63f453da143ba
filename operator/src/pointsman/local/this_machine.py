"""What whoever scales sees of this machine, and does to it."""

from collections.abc import Callable, Mapping, Sequence

from pointsman.api import ModelDeployment, ObjectKey
from pointsman.api.modeldeployment_status import ScalingStatus
from pointsman.engine_agent.engine_metrics import Readings
from pointsman.gateway import MetricsPage
from pointsman.local.deployments import OwnDeployment
from pointsman.local.display.terminal import BUSY, Line, Terminal, name_of
from pointsman.local.numbers import Numbers
from pointsman.local.scaling import EngineSeen, engines_seen
from pointsman.local.scaling import name_of as name_of_replica


class ThisMachine:
    """`written` is called after each change of a number or of what is said of it."""

    def __init__(
        self,
        numbers: Numbers,
        deployments: Callable[[], Mapping[ObjectKey, ModelDeployment]],
        own: Mapping[ObjectKey, OwnDeployment],
        page: MetricsPage,
        terminal: Terminal,
        written: Callable[[], None],
    ) -> None:
        self._numbers = numbers
        self._deployments = deployments
        self._own = own
        self._page = page
        self._terminal = terminal
        self._written = written

    @property
    def scaled(self) -> Sequence[ObjectKey]:
        return [key for key in self._numbers.keys if key in self._own]

    def deployment(self, key: ObjectKey) -> ModelDeployment | None:
        return self._deployments().get(key) if key in self._own else None

    def is_ours(self, key: ObjectKey) -> bool:
        return self._numbers.is_ours(key)

    def slots(self, key: ObjectKey) -> int | None:
        own = self._own.get(key)
        return None if own is None else own.slots

    def replicas(self, key: ObjectKey) -> tuple[EngineSeen, ...]:
        own = self._own.get(key)
        return () if own is None else engines_seen(own.replicas)

    async def readings(self, key: ObjectKey, replica: str) -> Readings | None:
        own = self._own.get(key)
        views = () if own is None else own.replicas
        port = next((view.port for view in views if name_of_replica(view) == replica), 0)
        return await own.readings(port) if own is not None and port else None

    async def gateway_page(self) -> str:
        return await self._page.text()

    def scale(
        self, key: ObjectKey, scaling: ScalingStatus | None, replicas: int | None, told: Sequence[str]
    ) -> None:
        self._numbers.write(key, scaling, replicas)
        name = name_of(key)
        for text in told:
            self._terminal.say(Line(BUSY, name, text, about=f"{name} is scaled"))
        self._written()

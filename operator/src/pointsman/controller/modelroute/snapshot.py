"""What is decided on: one ModelRoute, what its targets are like, and what gateways say of it. Frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.api import ModelRoute, ObjectKey
from pointsman.routing import RouteProgramming


@dataclass(frozen=True, slots=True)
class Lost:
    """A public model name that another route has."""

    name: str
    holder: ObjectKey


@dataclass(frozen=True, slots=True)
class RouteSnapshot:
    """One moment. `refusal` is what the checks between objects find, "" for nothing; `unready` says of each
    target that cannot answer why; `gateways` is what each ready gateway says, None where it knows no such
    route; `url` is where clients find the gateways; `now` is RFC 3339, for nothing but transition times.
    """

    route: ModelRoute
    now: str
    refusal: str = ""
    lost: Lost | None = None
    unready: Mapping[str, str] = field(default_factory=dict)
    gateways: tuple[RouteProgramming | None, ...] = ()
    url: str = ""

"""When a replica may still write."""

import pytest

from pointsman.kube.errors import LeadershipLost
from pointsman.kube.fence import Fence


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_open_only_until_the_lease_has_to_be_renewed() -> None:
    clock = Clock()
    fence = Fence(clock)
    with pytest.raises(LeadershipLost):
        fence.check()
    fence.extend(110.0, 5.0)
    fence.check()
    clock.now = 109.9
    assert fence.is_open
    clock.now = 110.0
    with pytest.raises(LeadershipLost):
        fence.check()
    assert fence.remaining_seconds() == 0.0


def test_once_closed_it_stays_so() -> None:
    fence = Fence(Clock())
    fence.extend(110.0, 5.0)
    fence.close()
    fence.extend(200.0, 5.0)
    assert not fence.is_open
    assert fence.remaining_seconds() == 0.0


def test_a_write_may_take_until_others_may_lead() -> None:
    clock = Clock()
    fence = Fence(clock)
    fence.extend(110.0, 5.0)
    clock.now = 109.0
    assert fence.patience_seconds() == pytest.approx(6.0)
    assert fence.remaining_seconds() == pytest.approx(1.0)

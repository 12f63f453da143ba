"""How often something is put back before it is a matter for people."""

from pointsman.kube.contention import PUT_BACK_TIMES, WITHIN_SECONDS, Contention


def forced_until_refused(contention: Contention, intent: str, now: float) -> int:
    times = 0
    while contention.may_force("place", intent, now):
        contention.forced("place", intent, now)
        times += 1
    return times


def test_the_first_time_and_a_few_to_put_it_back() -> None:
    assert forced_until_refused(Contention(), "a", 0.0) == 1 + PUT_BACK_TIMES


def test_time_and_another_intent_begin_afresh() -> None:
    contention = Contention()
    forced_until_refused(contention, "a", 0.0)
    assert contention.may_force("place", "b", 1.0)
    assert contention.may_force("elsewhere", "a", 1.0)
    assert not contention.may_force("place", "a", WITHIN_SECONDS - 1)
    assert contention.may_force("place", "a", WITHIN_SECONDS)
    contention.forget("place")
    assert forced_until_refused(contention, "a", 2.0) == 1 + PUT_BACK_TIMES


def test_it_remembers_a_bounded_number() -> None:
    contention = Contention(most=1)
    forced_until_refused(contention, "a", 0.0)
    contention.forced("other", "a", 0.0)
    assert contention.may_force("place", "a", 0.0)

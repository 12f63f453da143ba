"""Which events are told, and which only counted."""

from pointsman.kube.event_memory import SAME_SECONDS, EventMemory, Telling


def test_the_same_is_told_again_after_an_hour_with_how_often_it_was_seen() -> None:
    memory = EventMemory()
    assert memory.see("e", "uid", 0.0) == Telling(1)
    assert memory.see("e", "uid", 1.0) is None
    assert memory.see("e", "uid", SAME_SECONDS - 1) is None
    assert memory.see("e", "uid", SAME_SECONDS) == Telling(4)
    assert memory.see("e", "uid", SAME_SECONDS + 1) is None


def test_an_object_that_has_something_else_to_say_each_time_is_slowed_down() -> None:
    memory = EventMemory()
    told = [memory.see(f"e{number}", "uid", 0.0) for number in range(40)]
    assert sum(telling is not None for telling in told) == 25
    assert memory.see("other", "another-uid", 0.0) == Telling(1)
    assert memory.see("later", "uid", 301.0) == Telling(1)
    assert memory.see("too-soon", "uid", 302.0) is None


def test_what_could_not_be_told_is_told_the_next_time() -> None:
    memory = EventMemory()
    memory.see("e", "uid", 0.0)
    memory.forget("e")
    assert memory.see("e", "uid", 1.0) == Telling(1)


def test_it_remembers_a_bounded_number() -> None:
    memory = EventMemory(most=2)
    for number in range(3):
        memory.see(f"e{number}", f"uid{number}", 0.0)
    assert memory.see("e2", "uid2", 1.0) is None
    assert memory.see("e0", "uid0", 1.0) == Telling(1)

"""What an event looks like and is called."""

from datetime import UTC, datetime

from pointsman.kube.events import EventType, Occurrence, event_name, event_object
from tests.support.kube_objects import seen

NOW = datetime(2027, 1, 31, 12, 0, 0, 5, UTC)
PLACED = Occurrence(EventType.NORMAL, "Placed", "on 2 × H100", "Place")


def test_the_name_is_made_of_what_is_said_of_whom() -> None:
    about = seen("model", "1", uid="u1")
    name = event_name(about, PLACED)
    assert name.startswith("model.")
    assert name == event_name(seen("model", "2", uid="u1"), PLACED), (
        "a change of the object is none of the event"
    )
    assert name != event_name(seen("model", "1", uid="u2"), PLACED)
    assert name != event_name(about, Occurrence(EventType.WARNING, "Placed", "on 2 × H100", "Place"))
    assert name != event_name(about, Occurrence(EventType.NORMAL, "Placed", "on 4 × H100", "Place"))


def test_a_long_name_leaves_room_for_what_makes_it_unique() -> None:
    name = event_name(seen("a" * 199 + ".b", "1"), PLACED)
    assert len(name) <= 253
    assert ".." not in name


def test_the_object() -> None:
    event = event_object(seen("model", "7", "ns", uid="u1"), PLACED, NOW, controller="c", instance="i")
    assert event["metadata"]["namespace"] == "ns"
    assert event["eventTime"] == "2027-01-31T12:00:00.000005Z"
    assert event["regarding"] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "model",
        "namespace": "ns",
        "uid": "u1",
        "resourceVersion": "7",
    }
    assert (event["type"], event["reason"], event["action"]) == ("Normal", "Placed", "Place")


def test_a_note_is_cut_in_bytes_and_at_whole_characters() -> None:
    long = Occurrence(EventType.NORMAL, "Placed", "ü" * 1000, "Place")
    note = event_object(seen("m", "1"), long, NOW, controller="c", instance="i")["note"]
    assert len(note.encode()) <= 1024
    assert note == "ü" * 510 + "…"

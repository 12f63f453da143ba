"""What the init container is told is understood whole, or refused in one line."""

import json

import pytest

from pointsman.errors import PointsmanError
from pointsman.weights import Item
from pointsman.workloads.weights import Download

REFUSED = {
    "no JSON": "source=a",
    "no object": "[]",
    "a field of a later version": '{"source": "hf://a/b", "into": "/a", "colour": "blue"}',
    "a number": '{"source": "hf://a/b", "into": "/a", "revision": 7}',
    "no place": '{"source": "hf://a/b"}',
    "a place that depends on where it runs": '{"source": "hf://a/b", "into": "a"}',
    "a place above": '{"source": "hf://a/b", "into": "/a/../etc"}',
    "a file above": '{"source": "hf://a/b", "into": "/a", "file": "../b"}',
    "a link elsewhere": '{"source": "hf://a/b", "into": "/a", "link": "b/c"}',
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_it_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(PointsmanError) as refused:
        Item.from_argument(text)
    assert str(refused.value).startswith("--item is not understood: ")
    assert "\n" not in str(refused.value)


def test_what_a_pod_is_given_is_what_the_program_reads() -> None:
    download = Download("hf://a/b", "/weights/store/b", "1", "0f" * 32, "q4/b.gguf", "model.gguf")
    item = Item.from_argument(download.to_argument())
    assert item == Item("hf://a/b", "/weights/store/b", "1", "0f" * 32, "q4/b.gguf", "model.gguf")
    assert "sha256" not in json.loads(Download("hf://a/b", "/weights/store/b").to_argument())


SHARED = {
    "the same hub": ("hf://a/b", "hf://c/d", True),
    "the same server": ("https://x.example/a", "https://x.example/b", True),
    "another server": ("https://x.example/a", "https://y.example/a", False),
    "another port": ("https://x.example/a", "https://x.example:8443/a", False),
    "another kind of place": ("hf://a/b", "https://x.example/a", False),
}


@pytest.mark.parametrize(("first", "second", "want"), SHARED.values(), ids=SHARED.keys())
def test_credentials_stay_where_they_belong(first: str, second: str, want: bool) -> None:
    assert Item(second, "/b").shares_credentials_with(Item(first, "/a")) is want


SHOWN = {
    "a signature": ("https://x.example/a?sig=hush", "https://x.example/a"),
    "a password": ("https://me:hush@x.example:8443/a/b@c", "https://x.example:8443/a/b@c"),
    "a host alone": ("https://x.example", "https://x.example"),
    "another kind of place": ("s3://bucket/a?b", "s3://bucket/a?b"),
}


@pytest.mark.parametrize(("source", "want"), SHOWN.values(), ids=SHOWN.keys())
def test_a_source_is_shown_without_its_secrets(source: str, want: str) -> None:
    assert Item(source, "/b").shown == want

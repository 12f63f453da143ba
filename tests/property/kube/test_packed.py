"""What is kept as text reads like the object, and shares nothing that a reader could change."""

from __future__ import annotations

import sys
import tracemalloc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pointsman.kube.objects import key_of, labels_of
from pointsman.kube.packed import Packed

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner))
metadata = st.fixed_dictionaries(
    {"name": st.text(max_size=5)},
    optional={"labels": st.dictionaries(st.text(max_size=5), st.text(max_size=5)), "generation": st.just(2)},
)
objects = st.fixed_dictionaries(
    {"metadata": metadata},
    optional=dict.fromkeys(("apiVersion", "kind", "spec", "status", "data", "revision"), values),
)


@given(obj=objects)
def test_it_reads_like_the_object(obj: dict[str, Any]) -> None:
    packed = Packed(obj)
    assert dict(packed) == obj
    assert len(packed) == len(obj)
    for name in (*obj, "neither"):
        assert packed.get(name, "else") == obj.get(name, "else")
        assert (name in packed) == (name in obj)
    assert (key_of(packed), labels_of(packed)) == (key_of(obj), labels_of(obj))
    assert dict(Packed(packed)) == obj


def test_a_reader_changes_its_copy_alone() -> None:
    packed = Packed({"metadata": {"name": "a"}, "spec": {"replicas": 1}})
    packed["spec"]["replicas"] = 2
    assert packed["spec"] == {"replicas": 1}


def test_it_takes_little_more_than_its_text() -> None:
    text = "x" * 3000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        kept = [Packed({"metadata": {"name": "a"}, "spec": {"text": text}}) for _ in range(100)]
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (after - before) / len(kept) < sys.getsizeof(text.encode()) + 1500

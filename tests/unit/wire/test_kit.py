"""The file of a kit, byte by byte."""

import base64
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.kits import FILES, Signer, kit, table

from corral.farm.adapters.farm_folder.farm_key import is_signed
from corral.wire.kit import (
    ENVELOPE_BYTES,
    HEAD,
    MAGIC,
    PAYLOAD_TYPE,
    KitDigestError,
    KitFile,
    KitFormatError,
    KitTable,
    envelope_for,
    read_envelope,
    read_files,
    read_table,
    signed_message,
)

KIT = kit()


def read(content: bytes, signer: Signer | None = None) -> dict[str, bytes]:
    """Read a kit as whoever installs it does."""
    file = io.BytesIO(content)
    envelope = read_envelope(file)
    trusted = {str(key): value for key, value in (signer or Signer()).trusted.items()}
    if envelope.signer(trusted, is_signed) is None:
        message = "nobody who is trusted signed it"
        raise KitFormatError(message)
    found: dict[str, bytearray] = {}

    def begin(one: KitFile) -> Any:  # noqa: ANN401 - takes bytes, gives nothing
        found[one.name] = bytearray()
        return found[one.name].extend

    read_files(file, read_table(envelope.payload), begin)
    return {name: bytes(content) for name, content in found.items()}


def test_a_kit_is_read_as_it_was_written() -> None:
    assert read(KIT) == FILES


def test_what_is_signed_is_what_the_envelope_of_others_signs() -> None:
    """The encoding is DSSE's: its own example, with our kind of payload in the place of theirs."""
    kind = PAYLOAD_TYPE.encode()
    assert signed_message(b"hello world") == b"DSSEv1 %d %s 11 hello world" % (len(kind), kind)
    text = json.loads(KIT[HEAD.size : HEAD.size + HEAD.unpack(KIT[: HEAD.size])[1]])
    assert set(text) == {"payload", "payloadType", "signatures"}
    assert json.loads(base64.b64decode(text["payload"])) == table()


@given(st.integers(0, len(KIT) - 1), st.integers(1, 255))
def test_no_byte_can_be_flipped(place: int, by: int) -> None:
    flipped = bytearray(KIT)
    flipped[place] ^= by
    try:
        found = read(bytes(flipped))
    except KitFormatError:
        return
    # White space of JSON, letters of the key's hint: nothing that is signed, and nothing inside.
    assert found == FILES
    assert place < read_envelope(io.BytesIO(KIT)).size


@given(st.integers(0, len(KIT) - 1))
def test_no_part_of_it_is_a_kit(length: int) -> None:
    with pytest.raises(KitFormatError, match="ends within"):
        read(KIT[:length])


def test_nothing_may_follow_it() -> None:
    with pytest.raises(KitFormatError, match="longer than its table"):
        read(KIT + b"\0")


def test_a_flipped_byte_of_a_file_is_found_by_its_digest() -> None:
    with pytest.raises(KitDigestError, match=r"install in it is damaged"):
        read(KIT[:-1] + b"?")


def test_nobody_else_can_sign_it() -> None:
    with pytest.raises(KitFormatError, match="nobody who is trusted"):
        read(KIT, Signer(2))
    # Nor is a signature of another kind of message one of a kit.
    other = Signer()
    payload = json.dumps(table()).encode()
    wrong = envelope_for(payload, other.public_key, lambda _message: other.key.sign(payload))
    with pytest.raises(KitFormatError, match="nobody who is trusted"):
        read(wrong + b"".join(FILES.values()))


def test_a_key_is_believed_for_what_it_signed_and_not_for_its_name() -> None:
    pretender = Signer(2)
    payload = json.dumps(table()).encode()
    claimed = envelope_for(payload, Signer().public_key, pretender.key.sign)
    with pytest.raises(KitFormatError, match="nobody who is trusted"):
        read(claimed + b"".join(FILES.values()))


@pytest.mark.parametrize(
    ("head", "why"),
    [
        (HEAD.pack(b"CORRLKIS", 10), "does not begin as a kit"),
        (HEAD.pack(MAGIC, 0), "takes 0 bytes"),
        (HEAD.pack(MAGIC, ENVELOPE_BYTES + 1), "may take"),
        (HEAD.pack(MAGIC, 4) + b"null", "could be read"),
        (HEAD.pack(MAGIC, 2) + b"{}", "could be read"),
    ],
)
def test_the_head_is_bounded_and_of_one_kind(head: bytes, why: str) -> None:
    with pytest.raises(KitFormatError, match=why):
        read_envelope(io.BytesIO(head))


def test_another_kind_of_payload_is_no_kit() -> None:
    text = json.dumps(
        {"payloadType": "text/plain", "payload": "", "signatures": [{"sig": ""}]}
    ).encode()
    with pytest.raises(KitFormatError, match="text/plain"):
        read_envelope(io.BytesIO(HEAD.pack(MAGIC, len(text)) + text))


@pytest.mark.parametrize(
    "name", ["../x", "a/b", ".hidden", "", "a\0b", "-rf", "a" * 129, "a b", "A:B"]
)
def test_no_name_leads_anywhere(name: str) -> None:
    wrong = table()
    wrong["files"][0]["name"] = name
    with pytest.raises(KitFormatError):
        read_table(json.dumps(wrong).encode())


def test_the_table_holds_together() -> None:
    good = table()
    assert isinstance(read_table(json.dumps(good).encode()), KitTable)
    twice = table()
    twice["files"] *= 2
    other = table()
    other["files"][0]["executable"] = True
    too_big = table()
    too_big["files"][0]["size"] = 1 << 60
    for wrong in (twice, other, too_big, {**good, "files": []}):
        with pytest.raises(KitFormatError):
            read_table(json.dumps(wrong).encode())


@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(content: bytes) -> None:
    for given_ in (content, HEAD.pack(MAGIC, len(content)) + content):
        with pytest.raises(KitFormatError):
            read(given_)

from collections.abc import Iterator

import pytest
from pydantic import ValidationError

from corral.wire.login import LoginAnswer, LoginRequest
from corral.wire.message import Part
from corral.wire.overlay import Overlay
from corral.wire.server import Export, Peer, ReleaseOrder, ServerReport, SessionReport

LOGIN = {
    "format": 1,
    "device": "pc1",
    "export": "debian/2",
    "root": "ab" * 32,
    "size_bytes": 1024,
    "ticket": "AQ",
    "expires_at": 1,
    "write_cache": "device-disk",
    "cache_limit_bytes": 1 << 20,
    "cache_fallback": "refuse",
    "servers": [
        {"name": "s2", "addresses": ["127.0.0.1:10812", "[::1]:10812"], "tls": True},
    ],
    "writable": False,
    "answered_from": None,
    "certificate_authority": "PEM",
}
OVERLAY = {
    "id": "5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000001",
    "export": "debian/1@pc1",
    "base": "ab" * 32,
    "subject": "5c1a9a0e-8d1f-4a59-9f0f-3c2b1a000002",
    "kind": "server-persistent",
    "limit_bytes": 1 << 30,
}


def test_a_message_reads_back_as_it_was_written() -> None:
    answer = LoginAnswer.model_validate(LOGIN)
    assert LoginAnswer.model_validate_json(answer.model_dump_json()) == answer
    assert answer.model_dump(mode="json") == LOGIN


def test_a_field_of_a_newer_writer_is_ignored() -> None:
    assert LoginAnswer.model_validate({**LOGIN, "mood": "good"}) == LoginAnswer.model_validate(
        LOGIN
    )


def parts(of: type[Part]) -> Iterator[type[Part]]:
    for one in of.__subclasses__():
        yield one
        yield from parts(one)


@pytest.mark.parametrize("part", list(parts(Part)), ids=lambda part: part.__name__)
def test_no_part_of_any_message_minds_a_field_of_a_newer_release(part: type[Part]) -> None:
    assert part.model_config["extra"] in {"ignore", "allow"}


def test_an_order_of_a_newer_farm_is_read_by_an_older_server_and_one_of_an_older_by_a_newer() -> (
    None
):
    kit = {"release": "2.0", "root": "ab" * 32, "size_bytes": 1, "export": "corral-2.0/1"}
    order = {"number": 3, "install": kit, "run": {"release": "2.0", "expects": "1.0"}}
    newer = {
        **order,
        "install": {**kit, "colour": "red"},
        "run": {"release": "2.0", "expects": "1.0", "gently": True},
        "sleep": 5,
    }
    assert ReleaseOrder.model_validate(newer) == ReleaseOrder.model_validate(order)
    assert ReleaseOrder.model_validate({"number": 3}) == ReleaseOrder(number=3)
    with pytest.raises(ValidationError):
        ReleaseOrder.model_validate({**order, "number": 0})


def test_a_report_of_releases_says_what_is_new_to_whoever_knows_it_only() -> None:
    problem = {"order": 3, "code": "kit-damaged", "message": "m"}
    said = {"running": "1.0", "problem": problem}
    newer = {**said, "mood": "good", "problem": {**problem, "since": 5}}
    report = {"server": "s1", "generation": 3}
    read = ServerReport.model_validate({**report, "releases": newer, "weather": "fine"})
    assert read == ServerReport.model_validate({**report, "releases": said})
    assert ServerReport.model_validate(report).releases is None


def test_a_format_of_a_newer_release_is_refused() -> None:
    with pytest.raises(ValidationError, match="format"):
        LoginAnswer.model_validate({**LOGIN, "format": 2})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("root", "AB" * 32),
        ("root", "ab" * 31),
        ("export", "debian"),
        ("export", "debian/0"),
        ("export", "debian/1;ticket"),
        ("servers", [{"name": "s1", "addresses": ["127.0.0.1"]}]),
        ("servers", [{"name": "s1", "addresses": ["127.0.0.1:65536"]}]),
        ("size_bytes", -1),
    ],
)
def test_a_value_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        LoginAnswer.model_validate({**LOGIN, field: value})


def test_a_device_that_starts_says_nothing_and_one_that_runs_says_what() -> None:
    assert LoginRequest.model_validate({"format": 1}).running is None
    assert LoginRequest.model_validate({"format": 1, "running": "ab" * 32}).running == "ab" * 32
    for wrong in ("AB" * 32, "ab" * 31, ""):
        with pytest.raises(ValidationError):
            LoginRequest.model_validate({"running": wrong})


def test_a_signature_is_base64() -> None:
    with pytest.raises(ValidationError, match="base64"):
        Export(name="debian/1", root="ab" * 32, signature="!")


@pytest.mark.parametrize("url", ["ftp://s1/", "file:///etc/passwd", "s1:10901"])
def test_a_peer_is_reached_over_http(url: str) -> None:
    with pytest.raises(ValidationError):
        Peer(server="s1", url=url)


def test_a_report_needs_no_more_than_who_and_what_generation() -> None:
    assert ServerReport(server="s1", generation=3).sessions == ()


def test_an_overlay_is_not_sealed_unless_it_is_said() -> None:
    assert not Overlay.model_validate(OVERLAY).sealing


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("export", "debian/1"),
        ("export", "debian/1@"),
        ("export", "debian/1@pc1;ticket"),
        ("export", "debian/1@pc1@pc2"),
        ("kind", "device-ram"),
        ("limit_bytes", 0),
        ("base", ""),
    ],
)
def test_an_overlay_that_cannot_be_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Overlay.model_validate({**OVERLAY, field: value})


@pytest.mark.parametrize("export", ["debian/1", "debian/1@pc1"])
def test_a_session_is_of_a_version_or_of_a_devices_disk(export: str) -> None:
    session = SessionReport(
        subject=None, export=export, address="unix", connected_at=1, sent_bytes=0
    )
    assert session.export == export

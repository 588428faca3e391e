"""``corral image`` as a person moves versions with it."""

from datetime import timedelta

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.entrypoints.cli.conftest import CommandLine


@pytest.fixture(autouse=True)
def _farm(farm: FarmInMemory) -> None:
    server = farm.add_server("s1")
    versions = [farm.import_disk("debian", disk(filling)).version for filling in (1, 2)]
    farm.add_device("pc1", "debian")
    farm.report(server, holds=tuple(versions))


def test_an_image_goes_when_its_last_version_is_gone(corral: CommandLine) -> None:
    corral.farm.import_disk("fedora", disk(3))
    still = corral("image", "remove", "fedora")
    assert (still.code, still.err.rpartition("code: ")[2].strip()) == (1, "image-in-use")
    assert "version fedora/1" in still.err
    assert corral("image", "delete", "fedora/1", "--yes").code == 0
    assert "none left" in corral("image", "list").out
    shown = corral("image", "show", "fedora").out
    assert "publishes fedora/2" in shown
    assert "'corral image remove fedora' takes it away" in shown
    assert corral("image", "remove", "fedora", "--json").json == {"removed": "fedora"}
    assert [one["name"] for one in corral("image", "list", "--json").json] == ["debian"]


def test_a_release_at_a_date_is_shown_with_what_it_waits_for(
    corral: CommandLine, farm: FarmInMemory
) -> None:
    assert corral("image", "revert", "debian/2", "--to", "test").code == 0
    at = (farm.ports.clock.now() + timedelta(days=2)).isoformat()
    said = corral("image", "promote", "debian/2", "--at", at)
    assert said.out.startswith("debian/2 is pending: waits for ")
    shown = corral("image", "show", "debian", "--json").json["versions"][1]
    assert (shown["standing"], shown["release_at"]) == ("pending", at)
    assert shown["waits_for"]["until"] == at
    assert "pending: waits for " in corral("image", "show", "debian").out
    assert corral("device", "show", "pc1", "--json").json["version"] == "debian/1"
    assert corral("image", "release", "debian/2").out.startswith("debian/2 is in production")
    history = corral("image", "history", "debian/2", "--json").json
    assert [line["what"] for line in history][-3:] == [
        "revert-to-test",
        "promote-to-production",
        "release",
    ]


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (("promote", "debian/2", "--at", "2026-12-01T20:00"), 1, "release-time-invalid"),
        (("promote", "debian/2", "--at", "2020-12-01T20:00+01:00"), 1, "release-in-past"),
        (("promote", "debian/2", "--to", "maintenance"), 2, "usage"),
        (("promote", "debian/2", "--to", "test", "--at", "2030-01-01T00:00Z"), 2, "usage"),
        (("promote", "debian/2"), 1, "version-transition"),
        (("promote", "debian/9"), 3, "version-unknown"),
        (("release", "debian/2"), 1, "version-transition"),
        (("revert", "debian/1", "--to", "test"), 1, "version-not-newest"),
        (("revert", "debian/2", "--to", "production"), 2, "usage"),
        (("delete", "debian/2", "--yes"), 1, "version-started"),
        (("describe", "debian/2", "x", "--revision", "99"), 4, "version-changed"),
        (("set", "debian", "--mode", "shared", "--revision", "99"), 4, "image-changed"),
        (("set", "debian", "--only-server", "s9"), 3, "server-unknown"),
        (("set", "debian", "--cache-limit", "much"), 2, "usage"),
        (("set", "debian", "--cache-limit", "4KiB"), 1, "cache-limit-invalid"),
    ],
)
def test_what_is_refused_and_by_which_rule(
    corral: CommandLine, words: tuple[str, ...], code: int, error: str
) -> None:
    said = corral("image", *words)
    assert said.code == code
    assert f"code: {error}" in said.err


def test_pins_and_retirements(corral: CommandLine) -> None:
    assert "pinned" in corral("image", "pin", "debian/1").out
    assert "code: version-pinned" in corral("image", "retire", "debian/1").err
    assert "debian/2" in corral("image", "unpin", "debian").out
    assert corral("image", "retire", "debian/1", "--json").json["standing"] == "retired"
    assert corral("image", "unpin", "debian", "--json").json["pinned"] is None


def test_an_image_is_kept_to_one_server(corral: CommandLine) -> None:
    assert "from s1 only" in corral("image", "set", "debian", "--only-server", "s1").out
    assert "s1" in corral("image", "show", "debian").out
    corral("image", "set", "debian", "--description", "kept")
    assert corral("image", "show", "debian", "--json").json["only_server"] == "s1"
    assert "image-only-server" in corral("farm", "check").out
    free = corral("image", "set", "debian", "--only-server", "none", "--json").json
    assert free["only_server"] is None
    assert "every server that holds it" in corral("image", "show", "debian").out


def test_an_image_says_where_its_devices_write(corral: CommandLine) -> None:
    words = ("--write-cache", "device-disk", "--cache-limit", "8GiB", "--cache-fallback", "server")
    assert "device-disk of 8.0 GiB" in corral("image", "set", "debian", *words).out
    shown = corral("image", "set", "debian", "--cache-limit", "none", "--json").json
    assert shown["write_cache"] == {
        "kind": "device-disk",
        "limit_bytes": None,
        "fallback": "server",
    }
    assert corral("image", "describe", "debian/1", "été ✓", "--json").json["description"] == "été ✓"

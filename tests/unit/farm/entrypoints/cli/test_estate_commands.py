from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory
from tests.unit.farm.entrypoints.cli.conftest import CommandLine


def code_of(err: str) -> str:
    return err.rpartition("code: ")[2].strip()


def test_site_from_its_beginning_to_its_end(corral: CommandLine) -> None:
    made = corral("site", "add", "basel", "--subnet", "192.0.2.0/24", "--json")
    assert made.code == 0
    assert (made.json["subnets"], made.json["revision"]) == (["192.0.2.0/24"], 1)
    overlapping = corral("site", "add", "bern", "--subnet", "192.0.2.128/25")
    assert (overlapping.code, code_of(overlapping.err)) == (1, "subnets-overlap")
    assert "192.0.2.0/24 of site 'basel'" in overlapping.err
    changed = corral("site", "change", "basel", "--name", "bern", "--subnet", "none", "--json")
    assert (changed.json["name"], changed.json["subnets"]) == ("bern", [])
    late = corral("site", "change", "bern", "--description", "x", "--revision", "1")
    assert (late.code, code_of(late.err)) == (4, "site-changed")
    assert corral("site", "show", "bern", "--json").json["description"] == ""
    assert "revision" in corral("site", "show", "bern").out
    assert corral("site", "remove", "bern").code == 0
    kept = corral("site", "remove", "default")
    assert (kept.code, code_of(kept.err)) == (1, "site-permanent")
    assert code_of(corral("site", "show", "bern").err) == "site-unknown"


def test_farm_is_renamed_and_reached_elsewhere(corral: CommandLine) -> None:
    said = corral("farm", "change", "--name", "works", "--revision", "1")
    assert (said.code, "farm works is at revision 2" in said.out) == (0, True)
    urls = ("https://192.0.2.10:10800", "https://192.0.2.11:10800")
    changed = corral("farm", "change", "--api-url", urls[0], "--api-url", urls[1], "--json").json
    assert (changed["name"], changed["api_urls"]) == ("works", list(urls))
    assert changed["former_api_urls"] == ["http://127.0.0.1:10800"]
    late = corral("farm", "change", "--name", "other", "--revision", "2")
    assert (late.code, code_of(late.err)) == (4, "farm-changed")
    twice = corral("farm", "change", "--api-url", urls[0], "--api-url", urls[0])
    assert (twice.code, code_of(twice.err)) == (1, "api-urls-invalid")
    wrong = corral("farm", "change", "--api-url", "192.0.2.10")
    assert (wrong.code, code_of(wrong.err)) == (1, "api-url-invalid")
    shown = corral("farm", "show").out
    assert all(url in shown for url in (*urls, "http://127.0.0.1:10800"))


def test_collection_from_its_beginning_to_its_end(corral: CommandLine) -> None:
    corral("site", "add", "basel")
    made = corral("collection", "add", "room-1", "--site", "basel", "--json")
    assert made.json["site"] == "basel"
    assert corral("collection", "move", "room-1", "default", "--json").json["site"] == "default"
    renamed = corral("collection", "change", "room-1", "--name", "room-2", "--description", "x")
    assert renamed.code == 0
    corral.farm.add_device("pc1")
    moved = corral("device", "move", "pc1", "room-2", "--json")
    assert moved.json["collection"] == "room-2"
    full = corral("collection", "remove", "room-2")
    assert (full.code, code_of(full.err)) == (1, "collection-in-use")
    assert "pc1" in full.err
    assert "room-2" in corral("collection", "show", "room-2").out
    corral("device", "remove", "pc1")
    assert corral("collection", "remove", "room-2", "--json").json == {"removed": "room-2"}


def test_store_from_its_beginning_to_its_end(corral: CommandLine) -> None:
    made = corral("store", "add", "nas", "--path", "/srv/nas", "--shared", "--json")
    assert (made.json["default_path"], made.json["shared"]) == ("/srv/nas", True)
    for name, port in (("s1", 1), ("s2", 2)):
        added = corral(
            *("server", "add", name, "--in-store", "nas"),
            *("--listen", f"127.0.0.1:1080{port}", "--chunks", f"127.0.0.1:1090{port}"),
        )
        assert added.code == 0, added.err
    shown = corral("store", "show", "nas", "--json").json
    assert [one["path"] for one in shown["servers"]] == ["/srv/nas", "/srv/nas"]
    assert shown["servers"][0]["folder"] == shown["servers"][1]["folder"]
    still = corral("store", "change", "nas", "--not-shared")
    assert (still.code, code_of(still.err)) == (1, "store-shared-by")
    assert corral("store", "change", "nas", "--path", "none", "--json").json["default_path"] is None
    assert "/srv/nas" in corral("store", "show", "nas").out
    used = corral("store", "remove", "nas")
    assert (used.code, code_of(used.err)) == (1, "store-in-use")
    corral("store", "add", "empty")
    assert corral("store", "remove", "empty").code == 0


def test_server_is_changed_field_by_field(corral: CommandLine) -> None:
    corral.farm.add_server("s1")
    changed = corral(
        *(
            "server",
            "change",
            "s1",
            "--power",
            "2.5",
            "--max-devices",
            "400",
            "--max-booting",
            "50",
        ),
        *("--management", "192.0.2.1:22", "--subnet", "192.0.2.0/24", "--description", "up"),
        *("--advertise", "192.0.2.1:1", "--advertise-chunks", "192.0.2.1:2", "--json"),
    ).json
    assert (changed["power_rating"], changed["max_devices"]) == (2.5, 400)
    assert (changed["max_devices_booting"], changed["management"]) == (50, "192.0.2.1:22")
    assert (changed["advertised"], changed["subnets"]) == (["192.0.2.1:1"], ["192.0.2.0/24"])
    cleared = corral("server", "change", "s1", "--max-devices", "none", "--json").json
    assert (cleared["max_devices"], cleared["max_devices_booting"]) == (None, 50)
    for option, value, code in (
        ("--power", "0.05", "rating-out-of-range"),
        ("--power", "1001", "rating-out-of-range"),
        ("--max-devices", "0", "limit-out-of-range"),
        ("--site", "nowhere", "site-unknown"),
        ("--subnet", "192.0.2.1/24", "subnet-invalid"),
        ("--management", "here", "address-invalid"),
    ):
        refused = corral("server", "change", "s1", option, value)
        assert code_of(refused.err) == code
    shown = corral("server", "show", "s1").out
    assert "2.5" in shown
    assert "192.0.2.0/24" in shown


def test_server_is_added_with_what_it_can_bear(corral: CommandLine) -> None:
    added = corral(
        *("server", "add", "s1", "--store", "/srv/s1"),
        *("--listen", "127.0.0.1:10811", "--chunks", "127.0.0.1:10911"),
        *("--power", "0.5", "--max-devices", "40", "--max-booting", "none"),
        *("--subnet", "192.0.2.0/24", "--description", "under the stairs", "--json"),
    ).json
    assert (added["power_rating"], added["max_devices"]) == (0.5, 40)
    assert (added["max_devices_booting"], added["subnets"]) == (None, ["192.0.2.0/24"])
    assert added["description"] == "under the stairs"


def test_server_goes_into_maintenance_and_back(corral: CommandLine) -> None:
    corral.farm.report(corral.farm.add_server("s1"))
    assert "no new devices" in corral("server", "maintenance", "s1", "on").out
    assert "online, maintenance" in corral("server", "list").out
    assert corral("server", "maintenance", "s1", "off", "--json").json["maintenance"] is False
    assert corral("server", "maintenance", "s1", "perhaps").code == 2


def test_device_is_changed_disabled_and_removed(corral: CommandLine) -> None:
    corral(
        *("device", "add", "pc1", "--mac", "52:54:00:00:00:01", "--type", "test"),
        *("--description", "by the door"),
    )
    shown = corral("device", "show", "pc1", "--json").json
    assert (shown["type"], shown["description"]) == ("test", "by the door")
    changed = corral("device", "change", "pc1", "--mac", "52:54:00:00:00:02", "--json").json
    assert (changed["mac"], changed["type"]) == ("52:54:00:00:00:02", "test")
    assert corral("device", "disable", "pc1", "--json").json["disabled"] is True
    refused = corral("device", "login", "pc1")
    assert (refused.code, code_of(refused.err)) == (1, "device-disabled")
    assert "disabled" in corral("device", "list").out
    assert "pc1 may log in" in corral("device", "enable", "pc1").out
    late = corral("device", "remove", "pc1", "--revision", "1")
    assert (late.code, code_of(late.err)) == (4, "device-changed")
    assert corral("device", "remove", "pc1").code == 0
    assert code_of(corral("device", "show", "pc1").err) == "device-unknown"


def test_table_of_devices_is_tried_told_and_registered(corral: CommandLine, tmp_path: Path) -> None:
    table = tmp_path / "room.csv"
    table.write_text("name,mac\npc1,52:54:00:00:00:01\npc2,52:54:00:00:00:01\n")
    bad = corral("device", "import", str(table))
    assert bad.code == 1
    assert "mac-taken" in bad.out
    assert "1 of 2 lines are bad: nothing was registered" in bad.out
    as_json = corral("device", "import", str(table), "--json")
    assert as_json.code == 1
    assert [(one["line"], one["code"]) for one in as_json.json["bad"]] == [(3, "mac-taken")]
    table.write_text("name,mac\npc1,52:54:00:00:00:01\npc2,52:54:00:00:00:02\n")
    assert "all 2 lines are good" in corral("device", "import", str(table), "--dry-run").out
    assert corral("device", "list", "--json").json == []
    assert "2 devices are registered" in corral("device", "import", str(table)).out
    typed = corral("device", "import", "-", typed="name,mac\npc3,52:54:00:00:00:03\n")
    assert typed.code == 0
    names = [one["name"] for one in corral("device", "list", "--json").json]
    assert names == ["pc1", "pc2", "pc3"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_unreadable_table_is_refused(
    corral: CommandLine, tmp_path: Path, content: bytes | None
) -> None:
    table = tmp_path / "room.csv"
    if content is not None:
        table.write_bytes(content)
    refused = corral("device", "import", str(table))
    assert (refused.code, code_of(refused.err)) == (6, "device-table-unreadable")


@pytest.fixture
def room(farm: FarmInMemory) -> FarmInMemory:
    for number in range(5):
        farm.add_device(f"pc{number}")
    return farm


def test_list_is_filtered_sorted_and_paged(corral: CommandLine, room: FarmInMemory) -> None:
    del room
    assert [one["name"] for one in corral("device", "list", "--sort", "-name", "--json").json] == [
        "pc4",
        "pc3",
        "pc2",
        "pc1",
        "pc0",
    ]
    page = corral("device", "list", "--limit", "2", "--json").json
    assert [one["name"] for one in page["items"]] == ["pc0", "pc1"]
    assert page["total"] == 5
    rest = corral("device", "list", "--after", page["next"], "--json").json
    assert [one["name"] for one in rest["items"]] == ["pc2", "pc3", "pc4"]
    assert rest["next"] is None
    found = corral("device", "list", "--filter", "name=pc1", "--filter", "name=pc3", "--json").json
    assert [one["name"] for one in found] == ["pc1", "pc3"]
    assert "2 of 5; next: --after " in corral("device", "list", "--limit", "2").out
    assert "nothing matches" in corral("device", "list", "--filter", "name=x").out


@pytest.mark.parametrize(
    "noun",
    [
        ("site", "list"),
        ("collection", "list"),
        ("server", "list"),
        ("store", "list"),
        ("image", "list"),
        ("image", "versions"),
        ("device", "list"),
        ("session", "list"),
        ("replica", "list"),
        ("account", "list"),
        ("group", "list"),
        ("role", "list"),
        ("token", "list"),
        ("task", "list"),
        ("schedule", "list"),
    ],
    ids=" ".join,
)
def test_every_list_says_what_it_can_be_asked(corral: CommandLine, noun: tuple[str, str]) -> None:
    assert corral(*noun, "--limit", "1", "--json").json["next"] is None
    assert corral(*noun, "--limit", "1").code == 0
    for option, value, code in (
        ("--filter", "colour=red", "filter-invalid"),
        ("--sort", "colour", "sort-invalid"),
        ("--after", "x", "cursor-invalid"),
        ("--limit", "0", "page-limit-invalid"),
    ):
        refused = corral(*noun, option, value)
        assert (refused.code, code_of(refused.err)) == (1, code)


def test_many_devices_are_added_at_once_or_none(corral: CommandLine, tmp_path: Path) -> None:
    add = ("device", "add", "lab-[001-003]", "--mac", "52:54:00:00:01:fe")
    tried = corral(*add, "--dry-run")
    assert (tried.code, tried.out) == (0, "all 3 lines are good: nothing was registered yet\n")
    done = corral(*add, "--key-folder", str(tmp_path), "--description", "row 1", "--json")
    assert [one["name"] for one in done.json["registered"]] == ["lab-001", "lab-002", "lab-003"]
    assert done.json["registered"][0]["key_file"] == str(tmp_path / "lab-001.key")
    listed = corral("device", "list", "--json").json
    assert [one["mac"] for one in listed] == [
        "52:54:00:00:01:fe",
        "52:54:00:00:01:ff",
        "52:54:00:00:02:00",
    ]
    again = corral("device", "add", "lab-[002-005]", "--mac", "52:54:00:00:03:01")
    assert again.code == 1
    assert "2 of 4 lines are bad: nothing was registered" in again.out
    assert len(corral("device", "list", "--json").json) == 3
    for words in (
        ("pc[2-1]", "--mac", "52:54:00:00:04:01"),
        ("pc[1-2]", "--mac", "52:54:00:00:04:01", "--key-file", "/k"),
        ("pc1", "--mac", "52:54:00:00:04:01", "--dry-run"),
    ):
        wrong = corral("device", "add", *words)
        assert (wrong.code, code_of(wrong.err)) == (1, "device-series-invalid")

"""``corral rollout``, and kits that computers are given."""

import json
from pathlib import Path

import pytest
from tests.farm_in_memory import disk
from tests.kits import ENGINE, Signer, kit
from tests.unit.farm.application.computing import Laptop
from tests.unit.farm.entrypoints.cli.conftest import CommandLine

from corral.farm.application.import_image import ImportRequest
from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.version import Access
from corral.farm.domain.library.item import ItemKind
from corral.farm.domain.library.kit import publisher_name


def code_of(err: str) -> str:
    return err.rpartition("code: ")[2].strip()


@pytest.fixture
def fleet(corral: CommandLine) -> CommandLine:
    farm = corral.farm
    server = farm.add_server("s1")
    path = Path("/disks/debian")
    for number, to in ((1, Access.PRODUCTION), (2, Access.TEST)):
        farm.ports.files[path] = disk(number)
        farm.application.import_image(ImportRequest(image_name("debian"), path, to=to), Progress())
        farm.report(server)
    for name in ("pc0", "pc1", "pc2"):
        laptop = Laptop(farm, name)
        laptop.register(f"user-of-{name}")
        laptop.assign("debian")
        laptop.check_in()
    return corral


def test_a_rollout_from_its_plan_to_its_end(fleet: CommandLine) -> None:
    words = ("rollout", "start", "two", "debian/2", "--ring", "test=pc0,user-of-pc1")
    planned = fleet(*words, "--dry-run")
    assert planned.out.startswith("debian/2 would be rolled out to 3 machines")
    assert "pc0/user-of-pc0, pc1/user-of-pc1" in planned.out
    assert "no rollouts" in fleet("rollout", "list").out
    begun = fleet(*words, "--soak", "30m", "--json").json
    assert (begun["started"], [len(one["machines"]) for one in begun["waves"]]) == (True, [2, 1])
    assert "two" in fleet("rollout", "list").out
    shown = fleet("rollout", "show", "two", "--json").json
    assert [one["soak_seconds"] for one in shown["waves"]] == [1800, 1800]
    assert {one["computer"]: one["why_not"] for one in shown["members"]} == {
        "pc0": None,
        "pc1": None,
        "pc2": "gate-inconclusive",
    }
    assert "gate-inconclusive (wave 1)" in fleet("rollout", "show", "two").out
    paused = fleet("rollout", "pause", "two", "--why", "holidays")
    assert paused.out.strip() == "rollout two is paused: holidays"
    assert code_of(fleet("rollout", "pause", "two").err) == "rollout-transition"
    assert code_of(fleet("rollout", "retry", "two").err) == "rollout-stands-still"
    assert fleet("rollout", "resume", "two").out.strip() == "rollout two is running"
    strange = fleet("rollout", "retry", "two", "pc9/nobody")
    assert (strange.code, code_of(strange.err)) == (3, "rollout-member-unknown")
    early = fleet("rollout", "retry", "two", "pc0/user-of-pc0")
    assert code_of(early.err) == "rollout-member-transition"
    assert code_of(fleet("rollout", "remove", "two").err) == "rollout-not-over"
    late = fleet("rollout", "stop", "two", "--revision", "1")
    assert (late.code, code_of(late.err)) == (4, "rollout-changed")
    assert fleet("rollout", "stop", "two").out.strip() == "rollout two is stopped"
    assert fleet("rollout", "take-back", "two", "--json").json["state"] == "taken-back"
    assert fleet("rollout", "remove", "two").out.strip() == "rollout two is forgotten"


def test_standard_waves_suit_a_small_fleet(fleet: CommandLine) -> None:
    begun = fleet("rollout", "start", "two", "debian/2", "--json").json
    assert [(one["name"], len(one["machines"])) for one in begun["waves"]] == [
        ("first", 1),
        ("half", 1),
        ("all", 1),
    ]


@pytest.mark.parametrize(
    ("options", "code", "ending"),
    [
        (["--ring", "test"], "usage", 2),
        (["--soak", "soon"], "usage", 2),
        (["--wave", "101"], "waves-invalid", 1),
        (["--wave", "50", "--wave", "10"], "waves-invalid", 1),
        (["--wave", "100", "--max-failed", "101"], "gate-invalid", 1),
        (["--wave", "100", "--min-sample", "4"], "waves-invalid", 1),
        (["--ring", "test=nobody"], "waves-invalid", 1),
    ],
)
def test_what_cannot_brake_is_refused(
    fleet: CommandLine, options: list[str], code: str, ending: int
) -> None:
    said = fleet("rollout", "start", "two", "debian/2", *options)
    assert said.code == ending
    assert f"code: {code}" in said.err
    assert "no rollouts" in fleet("rollout", "list").out


def test_terms_are_read_from_a_file_and_strictly(fleet: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    terms = {"waves": [{"name": "all", "upto_percent": 100, "gate": {"max_failures": 2}}]}
    file.write_text(json.dumps({**terms, "windows": []}))
    words = ("rollout", "start", "two", "debian/2", "--terms", str(file))
    assert code_of(fleet(*words).err) == "rollout-terms-invalid"
    assert fleet(*words, "--soak", "1h").code == 2
    file.write_text(json.dumps(terms))
    assert fleet(*words).code == 0
    (wave,) = fleet("rollout", "show", "two", "--json").json["waves"]
    assert wave["max_failures"] == 2


def test_kits_are_given_by_tick(fleet: CommandLine) -> None:
    farm = fleet.farm
    farm.application.trust_publisher(publisher_name("acme"), Signer().public_key)
    path = Path("/import/five")
    farm.ports.files[path] = kit(release={**ENGINE, "upgrades": {"oldest": "2.0"}})
    farm.application.import_into_library(LibraryRequest(path, ItemKind.KIT), Progress())
    refused = fleet("library", "assign", "engine-5.0", "pc0")
    assert code_of(refused.err) == "kit-forbidden"
    assert "fact engine-5.0/upgrades" in refused.err
    farm.application.remove_library_item(farm.application.list_library()[0].item.name)
    farm.ports.files[path] = kit()
    farm.application.import_into_library(LibraryRequest(path, ItemKind.KIT), Progress())
    told = fleet("library", "assign", "engine-5.0", "pc0", "pc1")
    assert told.out.strip() == "engine-5.0 is given to 2 computers when they check in"
    rows = fleet("library", "computers", "engine-5.0", "--json").json
    assert [(one["computer"], one["upgrade"]) for one in rows] == [
        ("pc0", "pending"),
        ("pc1", "pending"),
        ("pc2", "none"),
    ]
    assert "pending" in fleet("library", "computers", "engine-5.0").out
    (row,) = fleet("computer", "kits", "pc0", "--json").json
    assert (row["kit"], row["assigned"]) == ("engine-5.0", True)
    assert "engine-5.0" in fleet("computer", "kits", "pc0").out
    assert fleet("library", "retry", "engine-5.0", "pc0").code == 0
    assert fleet("library", "unassign", "engine-5.0", "pc0", "pc1").code == 0
    gone = fleet("library", "unassign", "engine-5.0", "pc0")
    assert (gone.code, code_of(gone.err)) == (3, "kit-assignment-unknown")

import base64
import json
from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory, disk
from tests.unit.farm.entrypoints.cli.conftest import PROGRAM, CommandLine, run

from corral.farm.application.create_backup import BackupWish
from corral.farm.application.progress import Amounts, Progress
from corral.farm.domain.backup.backup import Recipient
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.root import RootHash
from corral.wire.login import LoginAnswer

ADD_S1 = (
    *("server", "add", "s1", "--store", "/stores/s1", "--listen", "127.0.0.1:10811"),
    *("--advertise", "10.0.2.2:10811", "--chunks", "127.0.0.1:10901"),
)


def leaves() -> list[tuple[str, ...]]:
    """Every command there is."""
    found: list[tuple[str, ...]] = []

    def walk(command: object, path: tuple[str, ...]) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found.append(path)
            return
        for name, child in children.items():
            walk(child, (*path, name))

    walk(PROGRAM, ())
    return found


@pytest.fixture
def with_images(farm: FarmInMemory) -> FarmInMemory:
    server = farm.add_server("s1")
    first = farm.import_disk("debian", disk(1, 2, 3)).version
    farm.import_disk("debian", disk(1, 2, 4))
    device = farm.add_device("pc1", "debian")
    farm.report(server, sessions=((device, first),))
    return farm


@pytest.mark.parametrize("path", leaves(), ids=" ".join)
def test_every_command_takes_json_and_shows_an_example(path: tuple[str, ...]) -> None:
    said = run(*path, "--help", COLUMNS="200")
    assert said.code == 0
    assert "--json" in said.out
    assert f"Example: corral {' '.join(path)}" in said.out


@pytest.mark.parametrize("path", sorted({path[:-1] for path in leaves()}))
def test_a_group_alone_shows_its_commands(path: tuple[str, ...]) -> None:
    said = run(*path)
    assert said.code == 0
    assert "Commands" in said.out


def test_a_server_is_added_with_its_addresses(corral: CommandLine) -> None:
    said = corral(*ADD_S1, "--json")
    assert said.code == 0
    assert said.json["listen"] == ["127.0.0.1:10811"]
    assert said.json["advertised"] == ["10.0.2.2:10811"]
    assert said.json["chunk_url"] == "http://127.0.0.1:10901"
    assert said.json["file"].endswith("s1.json")
    again = corral(*ADD_S1)
    assert again.code == 1
    assert "code: server-name-taken" in again.err


def test_import_shows_what_was_published(corral: CommandLine) -> None:
    corral(*ADD_S1)
    corral.farm.ports.files[Path("/disk.raw")] = disk(1, 2, 0)
    said = corral("image", "import", "debian", "/disk.raw")
    assert said.code == 0
    assert "debian/1" in said.out
    assert "2 new chunks" in said.out
    assert "100%" in said.err  # progress goes beside the answer, never into it
    same = corral("image", "import", "debian", "/disk.raw")
    assert same.code == 0
    assert "nothing changed" in same.out
    document = corral("image", "import", "debian", "/disk.raw", "--even-if-unchanged", "--json")
    assert document.err == ""
    assert document.json["published"]
    assert document.json["version"] == "debian/2"
    assert document.json["changed_chunks"] == 0


def test_import_that_is_refused_says_why(corral: CommandLine) -> None:
    corral(*ADD_S1)
    said = corral("image", "import", "debian", "/nowhere.raw")
    assert said.code == 6
    assert "code: disk-unreadable" in said.err
    with corral.farm.ports.image_locks.hold(image_name("debian")):
        busy = corral("image", "import", "debian", "/nowhere.raw", "--json")
    assert busy.code == 4
    assert json.loads(busy.err)["code"] == "image-busy"
    assert busy.out == ""


def test_lists_name_everything(corral: CommandLine, with_images: FarmInMemory) -> None:
    assert with_images is corral.farm
    for command, words in {
        "server list": ("s1", "online", "2/2"),
        "server show s1": ("debian/1", "debian/2", "complete"),
        "image list": ("debian/2", "192 KiB"),
        "image show debian": ("debian/1", "debian/2", "s1: complete"),
        "device list": ("pc1", "52:54:00:00:00:01", "debian/2"),
        "device show pc1": ("debian/2", "device-ram"),
        "status": ("pc1", "debian/1", "s1", "192.0.2.9:40000"),
        "farm show": ("home", "http://127.0.0.1:10800"),
    }.items():
        said = corral(*command.split())
        assert said.code == 0, said.err
        for word in words:
            assert word in said.out, command
        assert corral(*command.split(), "--json").json


def test_nothing_is_cut_off_in_a_pipe(corral: CommandLine) -> None:
    corral(*ADD_S1)
    corral.farm.import_disk("x" * 63, disk(1))
    assert "x" * 63 + "/1" in corral("image", "list").out


def test_image_alone_means_its_newest_version(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    assert with_images is corral.farm
    said = corral("image", "verify", "debian")
    assert said.code == 0
    assert "sound: debian/2 on s1" in said.out


def test_damage_has_an_exit_code_of_its_own(corral: CommandLine, with_images: FarmInMemory) -> None:
    chunks = with_images.store_of("s1").chunks
    chunks[next(iter(chunks))] = b"rot"
    said = corral("store", "verify", "s1")
    assert said.code == 5
    assert "DAMAGED: 1 of 4 chunks" in said.out
    assert "debian/1, debian/2" in said.out
    assert corral("store", "verify", "s1", "--json").json["sound"] is False
    assert corral("image", "verify", "debian/1").code == 5
    assert corral("image", "verify", "debian/1", "--json").code == 5
    assert corral("store", "heal", "s1").code == 5


def test_export_takes_the_format_from_the_ending(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    said = corral("image", "export", "debian/1", "/out/debian.qcow2", "--json")
    assert said.json["format"] == "qcow2"
    assert with_images.ports.files[Path("/out/debian.qcow2")] == disk(1, 2, 3)
    assert "code: export-exists" in corral("image", "export", "debian/1", "/out/debian.qcow2").err
    strange = corral("image", "export", "debian/1", "/out/debian.zip")
    assert strange.code == 2
    assert "--format" in strange.err


def test_delete_asks_first(corral: CommandLine, with_images: FarmInMemory) -> None:
    with_images.report(with_images.application.list_servers()[0].server)
    assert corral("image", "delete", "debian/1", typed="n\n").code == 130
    assert corral("image", "delete", "debian/1", typed="y\n").code == 0
    gone = corral("image", "delete", "debian/1", "--yes")
    assert gone.code == 3
    assert "code: version-unknown" in gone.err
    assert "code: version-last" in corral("image", "delete", "debian/2", "--yes").err
    assert corral("device", "unassign", "pc1", "--json").json["image"] is None
    assert "nothing" in corral("device", "unassign", "pc1").out
    assert corral("image", "delete", "debian/2", "--yes").code == 0


def test_delete_for_a_program_asks_nobody_and_wants_to_be_told(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    with_images.report(with_images.application.list_servers()[0].server)
    refused = corral("image", "delete", "debian/1", "--json")
    assert refused.code == 2
    assert "--yes" in refused.err
    assert corral("image", "delete", "debian/1", "--json", "--yes").json["state"] == "deleted"


def test_delete_of_a_streamed_version_names_the_device(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    assert with_images is corral.farm
    said = corral("image", "delete", "debian/1", "--yes")
    assert said.code == 1
    assert "pc1" in said.err


def test_replicate_waits_until_the_server_says_complete(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    second = with_images.add_server("s2")
    assert corral("image", "replicate", "debian/2", "--to", "s2").code == 0
    with_images.report(second, holds=(with_images.version("debian/2"),))
    said = corral("image", "replicate", "debian", "--to", "s2", "--wait", "--json")
    assert said.code == 0
    assert [r["state"] for r in said.json["replicas"]] == ["complete", "complete"]
    # Waiting is a task, which everybody sees.
    (task,) = corral("task", "list", "--json").json
    assert (task["kind"], task["state"], task["in_terminal"]) == ("replicate", "done", True)
    assert task["result"] == "s2 hold debian/2"
    assert task["done_bytes"] == task["total_bytes"] > 0


def test_drain_and_undrain(corral: CommandLine, with_images: FarmInMemory) -> None:
    refused = corral("server", "drain", "s1", "--json")
    assert refused.code == 1
    assert json.loads(refused.err)["code"] == "drain-unsafe"
    assert "pc1" in json.loads(refused.err)["message"]
    for name in ("s2", "s3"):
        with_images.replicate(with_images.version("debian/1"), with_images.add_server(name))
    assert corral("server", "drain", "s1", "--json").json["draining"]
    assert "online, draining" in corral("status").out
    assert not corral("server", "undrain", "s1", "--json").json["draining"]


def test_device_gets_a_key_file_an_image_and_a_login(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    added = corral("device", "add", "pc2", "--mac", "52-54-00-AB-CD-EF", "--json").json
    key = with_images.ports.secret_files.written[Path(added["key_file"])]
    assert key.reveal() not in json.dumps(added)
    assert corral("device", "login", "pc2").code == 1
    assert corral("device", "assign", "pc2", "debian", "--json").json["version"] == "debian/2"
    answer = LoginAnswer.model_validate(corral("device", "login", "pc2", "--json").json)
    assert answer.export == "debian/2"
    assert answer.servers[0].addresses == ("127.0.0.1:10801",)
    assert len(base64.urlsafe_b64decode(answer.ticket + "==")) == 58 + 64
    people = corral("device", "login", "pc2").out
    assert "s1" in people
    assert answer.ticket not in people


def test_bad_words_are_usage(corral: CommandLine) -> None:
    for arguments in (["imag"], ["image", "import"], ["device", "add", "pc1"], ["--nonsense"]):
        said = corral(*arguments)
        assert said.code == 2
        assert said.err.startswith("error: ")
        assert "code: usage" in said.err
    assert json.loads(corral("device", "add", "--json").err)["code"] == "usage"


def test_a_fault_of_ours_is_one_line(
    corral: CommandLine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CORRAL_FARM", str(tmp_path))

    def fail() -> None:
        message = "unforeseen"
        raise RuntimeError(message)

    corral.farm.application.__dict__["show_farm"] = fail
    said = corral("farm", "show")
    assert said.code == 70
    assert "Traceback" not in said.err
    assert "unforeseen" in said.err
    assert str(tmp_path / "log" / "corral.log") in said.err
    assert "Traceback" in (tmp_path / "log" / "corral.log").read_text()
    assert "Traceback" in corral("--debug", "farm", "show").err


def test_the_farm_check_ends_with_its_own_code(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    said = corral("farm", "check", "--json")
    assert said.code == 7
    assert not said.json["passed"]
    assert "version-on-one-server" in {one["code"] for one in said.json["findings"]}
    assert all(one["way_out"] for one in said.json["findings"])
    for name in ("s2", "s3"):
        server = with_images.add_server(name)
        for number in (1, 2):
            with_images.replicate(with_images.version(f"debian/{number}"), server)
        both = tuple(with_images.version(f"debian/{number}") for number in (1, 2))
        with_images.report(server, holds=both)
    said = corral("farm", "check")
    assert (said.code, "backup-missing" in said.out) == (7, True)
    wish = BackupWish(Path("/backups"), (Recipient("age1somebody"),))
    with_images.application.create_backup(wish, Progress())
    assert "login-one-address" in corral("farm", "check").out
    assert corral("server", "change", "s2", "--management", "127.0.0.1:10811").code == 0
    said = corral("farm", "check")
    assert said.code == 0
    assert "backup-unverified" in said.out
    assert "not looked at: stores of two farms" in said.out


def test_a_rebalance_is_shown_before_it_is_made(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    with_images.replicate(with_images.version("debian/1"), with_images.add_server("s2"))
    assert corral("server", "change", "s1", "--power", "0.1").code == 0
    planned = corral("server", "rebalance", "s1", "--dry-run", "--json").json
    assert not planned["ordered"]
    assert [(one["device"], one["from"], one["to"]) for one in planned["moves"]] == [
        ("pc1", "s1", "s2")
    ]
    assert corral("site", "rebalance", "default", "--json").json["ordered"]
    again = corral("site", "rebalance", "default")
    assert again.code == 0
    assert "left alone" in again.out or "nothing is moved" in again.out


def test_a_paused_task_says_what_goes_on_without_it(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    with_images.add_server("s2")
    for kind, said in (
        (("replicate", "version=debian/2", "to=s2"), "the servers fetch the version all the same"),
        (("rebalance", "server=s1"), "devices that were asked to move still go"),
    ):
        number = str(corral("task", "start", *kind, "--json").json["number"])
        paused = corral("task", "pause", number)
        assert f"what goes on: {said}" in paused.out
        left = corral("task", "cancel", number)
        assert "what is left: only the watching ends" in left.out
        assert "what goes on" not in left.out
    number = str(corral("task", "start", "verify", "server=s1", "--json").json["number"])
    assert corral("task", "pause", number).out == f"task {number} is paused\n"


def test_the_amounts_of_a_rebalance_are_devices(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    application = with_images.application
    task = application.begin_task("rebalance", {"server": "s1"}, "here-1")
    for seconds, done in ((1, 0), (2, 4)):
        with_images.wait(seconds)
        application.keep_task(task.number, task.run, Amounts(total_bytes=12, done_bytes=done))
    shown = corral("task", "show", str(task.number)).out
    assert "4 of 12 devices, 4 s at 120 devices a minute left" in shown
    assert "4 of 12 devices" in corral("task", "list").out
    assert corral("task", "show", str(task.number), "--json").json["counts"] == "devices"


def test_the_rules_for_tasks_are_shown_and_set(corral: CommandLine) -> None:
    assert corral("task", "limit", "--json").json["kept_days"] == 90
    changed = corral("task", "limit", "--kind", "verify=3", "--keep-days", "30", "--json").json
    assert (changed["of_kind"]["verify"], changed["kept_days"]) == (3, 30)
    shown = corral("task", "limit").out
    assert "verify in the farm" in shown
    assert "30 days" in shown
    assert "task-rule-invalid" in corral("task", "limit", "--per-server", "0").err
    assert "task-kind-unknown" in corral("task", "limit", "--kind", "dance=1").err
    assert corral("task", "limit", "--kind", "verify").code == 2
    late = corral("task", "limit", "--keep-days", "9", "--revision", "1")
    assert "task-rules-changed" in late.err


def test_the_rules_of_balance_are_shown_and_set(corral: CommandLine) -> None:
    assert corral("farm", "balance", "--json").json == {
        "automatic": True,
        "every_seconds": 600,
        "over_percent": 25,
        "least_devices": 5,
        "booting_percent": 20,
        "revision": 1,
    }
    assert "by hand only" in corral("farm", "balance", "--by-hand", "--over", "40").out
    assert corral("farm", "balance", "--json").json["over_percent"] == 40
    assert json.loads(corral("farm", "balance", "--over", "0", "--json").err)["code"] == (
        "balance-rule-invalid"
    )


def test_a_collection_is_planned_without_a_change_and_carried_out_as_a_task(
    corral: CommandLine, with_images: FarmInMemory
) -> None:
    store = with_images.store_of("s1")
    with_images.report(with_images.application.list_servers()[0].server)
    assert corral("image", "delete", "debian/1", "--yes").code == 0
    before = len(store.chunks)
    planned = corral("store", "collect", "s1", "--dry-run")
    assert (planned.code, len(store.chunks)) == (0, before)
    assert "versions kept: 1; 192 KiB needed, 64 KiB not" in planned.out
    assert "to be freed: 64 KiB" in planned.out
    assert corral("store", "collect", "s1", "--dry-run", "--json").json["dry_run"] is True
    done = corral("store", "collect", "s1")
    assert done.code == 0
    assert "freed: 64 KiB" in done.out
    assert len(store.chunks) == before - 1
    assert "collect" in corral("task", "list").out
    store.manifests[RootHash("ab" * 32)] = ()
    told = corral("store", "collect", "s1", "--json").json
    assert (told["freed_bytes"], told["versions_kept"]) == (0, 2)
    assert told["unwanted_versions"] == [{"root": "ab" * 32, "names": []}]
    assert f"does not want it there: {'ab' * 32}" in corral("store", "collect", "s1").out

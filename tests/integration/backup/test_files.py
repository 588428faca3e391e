"""Files of backups: what is changed, cut off or another's is refused, and nothing is left half."""

import json
import os
import stat
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corral.farm.adapters.backup_files.head import HEAD_BYTES
from corral.farm.adapters.backup_files.keys import is_under_passphrase, make_key
from corral.farm.adapters.farm_folder.kept_files import is_kept
from corral.farm.application.add_server import NewServer
from corral.farm.application.create_backup import BackupWish
from corral.farm.application.import_image import ImportRequest
from corral.farm.application.ports.backups import BackupKey, Member
from corral.farm.application.ports.disk_files import DiskFormat
from corral.farm.application.progress import Progress
from corral.farm.bootstrap import open_farm, open_ports
from corral.farm.domain.access.audit import AuditFilter
from corral.farm.domain.backup.backup import Recipient
from corral.farm.domain.backup.errors import (
    BackupDamagedError,
    BackupFolderUnusableError,
    BackupKeyTakenError,
    BackupKeyUnusableError,
    BackupKeyWrongError,
    BackupNewerError,
    BackupUnknownError,
    BackupUnsetError,
    BackupUnsoundError,
    PassphraseWrongError,
    RecipientInvalidError,
    RestoreTargetTakenError,
)
from corral.farm.domain.errors import DomainError
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.server import server_name
from corral.farm.domain.image.errors import WorkCancelledError
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.version import VersionState
from corral.farm.settings import FarmSettings
from tests.integration.backup.farms import FILES, BackedUpFarm

RECIPIENT = Recipient("age1hq8pyv7ce5skw6u40js9npsu0pwqjrzuzt4mqn9t2ttq9qdn8u0swlek63")


def everything_under(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_backup_is_restored_as_the_same_farm(farm: BackedUpFarm) -> None:
    backup = farm.back_up().backup
    assert stat.S_IMODE(backup.path.stat().st_mode) == 0o600
    assert backup.size_bytes == backup.path.stat().st_size
    done = farm.restore(backup.path)
    new = FarmSettings.embedded(farm.home / "new")
    restored = open_farm(new)
    before, after = farm.application.show_farm(), restored.show_farm()
    assert replace(after.farm, generation=0) == replace(before.farm, generation=0)
    assert after.farm.generation == done.generation > before.farm.generation
    assert len(restored.list_devices()) == 20
    assert restored.farm_key.public_key() == after.farm.public_key
    for name, content in everything_under(farm.home / "farm").items():
        if is_kept(name):
            assert (new.folder / name).read_bytes() == content
    for path in new.folder.rglob("*"):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path
    (entry,) = [one.entry for one in restored.list_audit(AuditFilter(), 1)]
    assert (entry.what, entry.thing) == ("farm.restore", "small")
    assert restored.list_backups().restoration is not None


def test_files_are_restored_whatever_an_administrator_calls_them(farm: BackedUpFarm) -> None:
    names = ("*.example.org (1).pem", "büro.crt", "a+b", "x" * 150 + ".key")
    (farm.home / "farm" / "tls").mkdir()
    for name in names:
        (farm.home / "farm" / "tls" / name).write_text(name)
    farm.restore(farm.back_up().backup.path)
    for name in names:
        assert (farm.home / "new" / "tls" / name).read_text() == name


def test_nothing_secret_stands_in_the_file(farm: BackedUpFarm) -> None:
    content = farm.back_up().backup.path.read_bytes()
    for path in (farm.home / "farm").rglob("*.key"):
        secret = path.read_bytes().splitlines()[-2 if b"BEGIN" in path.read_bytes() else -1]
        assert secret not in content
    assert b"52:54:00" not in content


def test_a_verified_backup_is_noted(farm: BackedUpFarm) -> None:
    backup = farm.back_up().backup
    found = farm.verify(backup.path)
    assert (found.facts.id, found.rows["device"], found.missing) == (backup.id, 20, ())
    assert found.files.count("farm.key") == 1
    assert farm.application.note_verified_backup(found.facts.id)
    (view,) = farm.application.list_backups().backups
    assert view.backup is not None
    assert view.backup.verified_at is not None
    assert not view.problem


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> BackedUpFarm:
    """One farm with one backup, for tests that only look at copies of it."""
    farm = BackedUpFarm.at(tmp_path_factory.mktemp("shared"))
    farm.back_up()
    return farm


def the_file(farm: BackedUpFarm) -> Path:
    (path,) = farm.folder.iterdir()
    return path


@given(st.data())
@settings(max_examples=min(40, settings().max_examples))
def test_a_changed_byte_anywhere_is_found(shared: BackedUpFarm, data: st.DataObject) -> None:
    content = bytearray(the_file(shared).read_bytes())
    # Half of them in the head, which is a small part of the file.
    length = data.draw(st.sampled_from([HEAD_BYTES, len(content)]))
    place = data.draw(st.integers(0, length - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    refused_as_damaged(shared, bytes(content))


@given(st.data())
@settings(max_examples=min(20, settings().max_examples))
def test_a_file_that_was_cut_off_or_goes_on_is_found(
    shared: BackedUpFarm, data: st.DataObject
) -> None:
    content = the_file(shared).read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    more = data.draw(st.binary(min_size=1, max_size=9))
    refused_as_damaged(shared, content[:length])
    refused_as_damaged(shared, content + more)


def refused_as_damaged(farm: BackedUpFarm, content: bytes) -> None:
    path = farm.home / "changed.corral-backup"
    path.write_bytes(content)
    with pytest.raises((BackupDamagedError, BackupNewerError)):
        farm.verify(path)
    with pytest.raises((BackupDamagedError, BackupNewerError)):
        farm.restore(path)
    assert not (farm.home / "new").exists()
    assert not list(farm.home.glob(".*restoring"))


def test_a_format_of_tomorrow_is_named(shared: BackedUpFarm) -> None:
    content = bytearray(the_file(shared).read_bytes())
    struct.pack_into("<H", content, len(b"corral backup\n"), 2)
    path = shared.home / "tomorrow.corral-backup"
    path.write_bytes(content)
    with pytest.raises(BackupNewerError, match="format 2"):
        shared.verify(path)


def test_a_schema_of_tomorrow_is_refused(farm: BackedUpFarm) -> None:
    with FILES.opened(farm.back_up().backup.path, farm.key, Progress()) as opened:
        facts = replace(opened.facts, schema="9999", readable_from="9999")
        members = list(opened.members())
    written = FILES.write(
        farm.folder,
        facts,
        members,
        recipients=(farm.recipient,),
        key=farm.application.farm_key,
        progress=Progress(),
    )
    with pytest.raises(BackupNewerError, match="9999"):
        farm.restore(written.path)


def test_another_farms_signature_is_no_signature(farm: BackedUpFarm, tmp_path: Path) -> None:
    """Whoever knows the recipient can encrypt; only the farm can sign."""
    (tmp_path / "other").mkdir()
    other = BackedUpFarm.at(tmp_path / "other")
    with FILES.opened(farm.back_up().backup.path, farm.key, Progress()) as opened:
        facts, members = opened.facts, list(opened.members())
    forged = FILES.write(
        tmp_path,
        facts,
        members,
        recipients=(farm.recipient,),
        key=other.application.farm_key,
        progress=Progress(),
    )
    with pytest.raises(BackupDamagedError, match="not signed"):
        farm.verify(forged.path)
    (seen,) = FILES.seen(tmp_path)
    assert isinstance(seen.problem, BackupDamagedError)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda members: [one for one in members if one.name != "farm/farm.key"], "signing key"),
        (lambda members: [one for one in members if "/device/" not in one.name], "other rows"),
        (lambda members: [one for one in members if one.name != "rows.json"], "other rows"),
        (lambda members: [one for one in members if "/farm/" not in one.name], "rows"),
    ],
)
def test_what_does_not_make_a_farm_is_unsound(
    farm: BackedUpFarm, change: Callable[[list[Member]], list[Member]], why: str
) -> None:
    path = farm.rewritten(farm.back_up().backup.path, change)
    with pytest.raises(BackupUnsoundError, match=why):
        farm.verify(path)


def test_another_farms_key_inside_is_unsound(farm: BackedUpFarm, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    stranger = BackedUpFarm.at(tmp_path / "other").home / "farm" / "farm.key"

    def exchange(members: list[Member]) -> list[Member]:
        return [
            Member(one.name, stranger.read_bytes()) if one.name == "farm/farm.key" else one
            for one in members
        ]

    path = farm.rewritten(farm.back_up().backup.path, exchange)
    with pytest.raises(BackupUnsoundError, match="not that of its farm"):
        farm.verify(path)


def test_names_that_lead_elsewhere_are_refused(farm: BackedUpFarm) -> None:
    for name in ("farm/../../escaped", "farm/../escaped", "farm/tls/.hidden", "farm/", "/escaped"):

        def escape(members: list[Member], name: str = name) -> list[Member]:
            return [*members, Member(name, b"")]

        path = farm.rewritten(farm.back_up().backup.path, escape)
        with pytest.raises(BackupDamagedError):
            farm.restore(path)
        assert not (farm.home / "escaped").exists()


def test_only_the_right_key_opens_it(farm: BackedUpFarm) -> None:
    path = farm.back_up().backup.path
    make_key(farm.home / "other.key", None)
    with pytest.raises(BackupKeyWrongError):
        farm.verify(path, BackupKey(farm.home / "other.key"))
    with pytest.raises(BackupKeyUnusableError):
        farm.verify(path, BackupKey(farm.home / "none.key"))
    (farm.home / "open.key").write_bytes(farm.key.file.read_bytes())
    (farm.home / "open.key").chmod(0o644)
    with pytest.raises(BackupKeyUnusableError, match="chmod"):
        farm.verify(path, BackupKey(farm.home / "open.key"))
    (farm.home / "text.key").touch(mode=0o600)
    with pytest.raises(BackupKeyUnusableError, match="no key"):
        farm.verify(path, BackupKey(farm.home / "text.key"))
    (farm.home / "text.key").write_text("AGE-SECRET-KEY-1NOTAKEY")
    with pytest.raises(BackupKeyUnusableError) as told:
        farm.verify(path, BackupKey(farm.home / "text.key"))
    assert "NOTAKEY" not in told.value.message


def test_a_key_may_be_kept_under_a_passphrase(farm: BackedUpFarm) -> None:
    file = farm.home / "kept.key"
    farm.recipient = make_key(file, "correct horse")
    assert b"AGE-SECRET-KEY" not in file.read_bytes()
    assert is_under_passphrase(file)
    path = farm.back_up().backup.path
    assert farm.verify(path, BackupKey(file, "correct horse")).facts.farm_name == "small"
    with pytest.raises(PassphraseWrongError):
        farm.verify(path, BackupKey(file, "wrong horse"))
    with pytest.raises(BackupKeyUnusableError):
        farm.verify(path, BackupKey(file))
    assert "correct" not in repr(BackupKey(file, "correct horse"))


def test_a_key_is_never_written_over(farm: BackedUpFarm) -> None:
    before = farm.key.file.read_bytes()
    with pytest.raises(BackupKeyTakenError):
        make_key(farm.key.file, None)
    assert farm.key.file.read_bytes() == before
    assert stat.S_IMODE(farm.key.file.stat().st_mode) == 0o600
    with pytest.raises(BackupKeyUnusableError):
        make_key(farm.home / "nowhere" / "backup.key", None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1x",
        "ssh-ed25519 AAAA",
        "AGE-SECRET-KEY-1QQQ",
        " age-secret-key-1QQQ",
        "'AGE-SECRET-KEY-1QQQ",
    ],
)
def test_what_is_no_recipient_is_refused(text: str) -> None:
    with pytest.raises(RecipientInvalidError) as told:
        FILES.check([RECIPIENT, Recipient(text)])
    assert "1QQQ" not in told.value.message


def test_a_farm_must_know_where_its_backups_go_and_for_whom(farm: BackedUpFarm) -> None:
    for wish in (BackupWish(), BackupWish(folder=farm.folder)):
        with pytest.raises(BackupUnsetError):
            farm.application.create_backup(wish, Progress())
    assert farm.application.roll_up_backups() == ()


def test_a_cancelled_backup_leaves_nothing(farm: BackedUpFarm) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(WorkCancelledError):
        farm.back_up(progress)
    assert list(farm.folder.iterdir()) == []
    assert farm.application.list_backups().backups == ()


def test_what_a_killed_writer_left_is_swept(farm: BackedUpFarm) -> None:
    farm.folder.mkdir()
    left = farm.folder / ".small-20260101T000000Z-00000000.corral-backup.partial"
    left.write_bytes(b"half")
    backup = farm.back_up().backup
    assert list(farm.folder.iterdir()) == [backup.path]


def test_a_folder_that_cannot_be_written_is_named(farm: BackedUpFarm) -> None:
    farm.folder.write_bytes(b"a file")
    with pytest.raises(BackupFolderUnusableError, match="backups"):
        farm.back_up()


def test_a_full_disk_is_told_and_leaves_nothing(farm: BackedUpFarm) -> None:
    farm.folder.mkdir()
    if os.system(f"mount -t tmpfs -o size=16k none {farm.folder} 2>/dev/null"):  # noqa: S605
        pytest.skip("needs the right to mount")
    try:
        with pytest.raises(BackupFolderUnusableError, match="no space left"):
            farm.back_up()
        assert list(farm.folder.iterdir()) == []
    finally:
        os.system(f"umount {farm.folder}")  # noqa: S605


def test_nothing_is_ever_restored_over(farm: BackedUpFarm) -> None:
    path = farm.back_up().backup.path
    before = everything_under(farm.home / "farm")
    with pytest.raises(RestoreTargetTakenError):
        farm.restore(path, "farm")
    assert everything_under(farm.home / "farm") == before
    (farm.home / "empty").mkdir()
    farm.restore(path, "empty")
    with pytest.raises(RestoreTargetTakenError):
        farm.restore(path, "empty")


def test_a_file_that_is_not_there_is_told(farm: BackedUpFarm) -> None:
    with pytest.raises(BackupUnknownError):
        farm.verify(farm.home / "none.corral-backup")
    with pytest.raises(DomainError):
        farm.restore(farm.home)


def test_every_file_of_a_farm_is_kept_or_known_not_to_be() -> None:
    kept = ("farm.key", "reader.key", "servers/s1.json", "devices/pc1.key", "ca.pem", "tls/any.pem")
    left = (
        *("farm.db", "farm.db-wal", "farm-tasks.db", "farm.json", "logins.json", "log/corral.log"),
        *("servers/s1.last.json", "servers/s1.logins.json", "servers/s1.overlays.json"),
        *("servers/s1.certificate.json", "api-certificate.json"),
        *("locks/image-debian.lock", ".farm.key.123", "devices/.pc1.key.9", "store/packs/a.json"),
    )
    assert all(map(is_kept, kept))
    assert not any(map(is_kept, left))


def test_the_head_says_who_when_and_what_without_the_key(farm: BackedUpFarm) -> None:
    backup = farm.back_up().backup
    head = backup.path.read_bytes()[:HEAD_BYTES]
    document = json.loads(head[20:].rstrip(b"\0"))
    assert document["backup"]["id"] == str(backup.id)
    assert document["backup"]["farm_name"] == "small"
    assert document["payload"]["bytes"] == backup.size_bytes - HEAD_BYTES
    (seen,) = FILES.seen(farm.folder)
    assert seen.facts is not None
    assert seen.problem is None
    assert (seen.facts.id, seen.facts.schema) == (backup.id, backup.schema)


def test_tasks_that_were_under_way_have_failed_and_can_be_tried_again(farm: BackedUpFarm) -> None:
    waiting = farm.application.start_task("backup", {"with_chunks": True})
    path = farm.back_up().backup.path
    done = farm.restore(path)
    assert done.open_tasks == 1
    restored = open_farm(FarmSettings.embedded(farm.home / "new"))
    task = restored.show_task(waiting.number).view.task
    assert task.failure is not None
    assert task.failure.code == "task-before-restore"
    assert restored.retry_task(waiting.number).state.value == "queued"


def test_a_copy_that_was_to_go_is_wanted_by_the_restored_farm(farm: BackedUpFarm) -> None:
    """It may be the only one by then. One of a version that was deleted goes all the same."""
    farm.application.add_server(
        NewServer(
            name=server_name("s1"),
            store_path=farm.home / "store",
            listen=(Address("127.0.0.1", 10_809),),
            chunks_listen=Address("127.0.0.1", 10_909),
        )
    )
    for image in ("kept", "deleted"):
        disk = farm.home / image
        disk.write_bytes(image.encode() * 512)
        wish = ImportRequest(image_name(image), disk, DiskFormat.RAW)
        farm.application.import_image(wish, Progress())
    with open_ports(FarmSettings.embedded(farm.home / "farm")).transactions.writing() as records:
        for version in records.versions.all():
            if str(version.name) == "deleted/1":
                records.versions.move(version, replace(version, state=VersionState.DELETING))
        for replica in records.replicas.all():
            records.replicas.put(replace(replica, state=ReplicaState.REMOVING))
    farm.restore(farm.back_up().backup.path)
    with open_ports(FarmSettings.embedded(farm.home / "new")).transactions.reading() as records:
        states = {
            str(version.name): [one.state for one in records.replicas.of_root(version.root)]
            for version in records.versions.all()
        }
    assert states == {"kept/1": [ReplicaState.WANTED], "deleted/1": [ReplicaState.REMOVING]}


def test_the_restored_farm_knows_its_backup_and_is_in_step_with_the_check(
    farm: BackedUpFarm,
) -> None:
    backup = farm.back_up().backup
    farm.restore(backup.path)
    restored = open_farm(FarmSettings.embedded(farm.home / "new"))
    (view,) = restored.list_backups().backups
    assert view.backup is not None
    assert view.backup.id == backup.id
    assert view.backup.verified_at is not None
    codes = {one.kind.code for one in restored.check_farm().findings}
    assert not {code for code in codes if code.startswith("backup")}

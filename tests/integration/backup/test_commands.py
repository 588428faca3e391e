"""The commands as people give them: with a passphrase, without a farm, and refused."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.farm.command import CommandLine


@pytest.fixture
def corral(tmp_path: Path) -> CommandLine:
    corral = CommandLine(tmp_path / "farm", tmp_path / "corral.log")
    corral.ask("farm", "create", "small")
    return corral


def test_a_backup_is_listed_verified_and_restored_where_no_farm_is(
    corral: CommandLine, tmp_path: Path
) -> None:
    passphrase, wrong = tmp_path / "passphrase", tmp_path / "wrong"
    for file, text in ((passphrase, "correct horse\n"), (wrong, "battery\n")):
        file.touch(mode=0o600)
        file.write_text(text)
    key = tmp_path / "backup.key"
    made = corral.ask("backup", "key", str(key), "--passphrase-file", str(passphrase))
    folder = tmp_path / "backups"
    created = corral.ask(
        *("backup", "create", "--to", str(folder), "--recipient", made["recipient"])
    )
    assert created["rolled_up"] == []

    elsewhere = replace(corral, farm=tmp_path / "nowhere")
    (listed,) = elsewhere.ask("backup", "list", str(folder))["backups"]
    assert (listed["id"], listed["problem"]) == (created["id"], "")
    opened = ("--key", str(key), "--passphrase-file", str(passphrase))
    verified = elsewhere.ask("backup", "verify", created["path"], *opened)
    assert (verified["farm_name"], verified["noted"]) == ("small", False)
    refused = elsewhere.refusal(
        *("backup", "verify", created["path"], "--key", str(key)),
        *("--passphrase-file", str(wrong)),
    )
    assert (refused.exit_code, refused.code) == (1, "backup-passphrase-wrong")
    restored = tmp_path / "restored"
    words = ("backup", "restore", created["path"], "--folder", str(restored), *opened)
    done = elsewhere.ask(*words)
    assert done["took_seconds"] >= 0
    assert elsewhere.refusal(*words).code == "restore-target-taken"
    assert replace(corral, farm=restored).ask("farm", "show")["name"] == "small"


def test_what_cannot_be_is_refused_with_a_code(corral: CommandLine, tmp_path: Path) -> None:
    key = tmp_path / "backup.key"
    made = corral.ask("backup", "key", str(key))
    cases = [
        (("backup", "key", str(key)), "backup-key-taken", 1),
        (("backup", "create"), "backup-unset", 1),
        (("backup", "schedule"), "backup-unset", 1),
        (("backup", "set", "--to", "here"), "backup-folder-invalid", 1),
        (("backup", "set", "--recipient", "me"), "backup-recipient-invalid", 1),
        (("backup", "set", "--daily", "0"), "backup-retention-invalid", 1),
        (("backup", "verify", "--key", str(key)), "backup-unknown", 3),
        (("backup", "verify", str(tmp_path / "none"), "--key", str(key)), "backup-unknown", 3),
        (("backup", "list", str(tmp_path / "none")), "backup-folder-unusable", 6),
    ]
    for words, code, exit_code in cases:
        refused = corral.refusal(*words)
        assert (refused.code, refused.exit_code) == (code, exit_code), words
    corral.ask("backup", "set", "--to", str(tmp_path / "b"), "--recipient", made["recipient"])
    created = corral.ask("backup", "create")
    path = Path(created["path"])
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    for words in (
        ("backup", "verify", str(path), "--key", str(key)),
        ("backup", "restore", str(path), "--folder", str(tmp_path / "x"), "--key", str(key)),
    ):
        refused = corral.refusal(*words)
        assert (refused.code, refused.exit_code) == ("backup-damaged", 5)
    assert not (tmp_path / "x").exists()

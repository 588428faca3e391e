from pathlib import Path

import pytest
from tests.farm_in_memory import FarmInMemory
from tests.unit.farm.entrypoints.cli.conftest import CommandLine, run

from corral.farm.domain.access.account import account_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.token import Token

PASSWORD = "correct horse battery"  # noqa: S105 - nobody's
HOME = "192.0.2.1"


def test_the_secret_of_the_first_administrator_is_printed_once_and_signs_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CORRAL_FARM", str(tmp_path / "farm"))

    created = run("farm", "create", "home", "--json").json
    secret = created["administrator"]["one_time_secret"]
    assert created["administrator"]["account"] == "admin"
    for again in (run("account", "show", "admin", "--json"), run("audit", "list", "--json")):
        assert again.code == 0
        assert secret not in again.out
    kept = [path for path in (tmp_path / "farm").rglob("*") if path.is_file()]
    assert kept
    assert not any(secret.encode() in path.read_bytes() for path in kept)
    shown = run("account", "show", "admin", "--json").json
    assert shown["must_change_password"]
    assert shown["roles"][0]["role"] == "farm-administrator"


def test_an_account_is_added_with_a_secret_a_password_or_none(
    corral: CommandLine, farm: FarmInMemory, tmp_path: Path
) -> None:
    secret = corral("account", "add", "ada", "--json").json["one_time_secret"]
    sign_in = farm.application.sign_in
    sign_in(account_name("ada"), Password(secret), HOME, Password(PASSWORD))

    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    assert corral("account", "add", "bob", "--password-file", str(file)).code == 0
    sign_in(account_name("bob"), Password(PASSWORD), HOME)

    typed = corral("account", "add", "eve", "--password-file", "-", typed=f"{PASSWORD}\n")
    assert typed.code == 0
    sign_in(account_name("eve"), Password(PASSWORD), HOME)

    asked = corral("account", "add", "dan", "--ask", typed=f"{PASSWORD}\n{PASSWORD}\n")
    assert asked.code == 0
    assert PASSWORD not in asked.out + asked.err
    sign_in(account_name("dan"), Password(PASSWORD), HOME)

    robot = corral("account", "add", "robot", "--no-password", "--json").json
    assert robot["one_time_secret"] is None


def test_a_password_that_others_can_read_is_not_taken(corral: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o644)
    refused = corral("account", "add", "ada", "--password-file", str(file), "--json")
    assert refused.code == 1
    assert "chmod 600" in refused.err
    assert PASSWORD not in refused.err
    missing = corral("account", "add", "ada", "--password-file", str(tmp_path / "none"))
    assert missing.code == 1


def test_two_ways_to_sign_in_are_one_too_many(corral: CommandLine) -> None:
    assert corral("account", "add", "ada", "--one-time", "--no-password").code == 2


def test_accounts_are_listed_changed_disabled_and_removed(corral: CommandLine) -> None:
    corral("account", "add", "ada", "--description", "operations")
    assert corral("account", "change", "ada", "--description", "on leave").code == 0
    stale = corral("account", "change", "ada", "--description", "x", "--revision", "1")
    assert stale.code == 4
    assert "account-changed" in stale.err
    assert corral("account", "disable", "ada", "--json").json["disabled"]
    assert "disabled" in corral("account", "list").out
    assert not corral("account", "enable", "ada", "--json").json["disabled"]
    assert corral("account", "set-password", "ada", "--json").json["one_time_secret"]
    assert corral("account", "remove", "ada").code == 0
    assert corral("account", "show", "ada").code == 3
    assert "last-administrator" in corral("account", "remove", "admin").err


def test_groups_and_roles(corral: CommandLine) -> None:
    corral("account", "add", "ada")
    assert corral("group", "add", "team", "--member", "ada", "--json").json["members"] == ["ada"]
    assert corral("role", "grant", "farm-reader", "--group", "team").code == 0
    assert corral("role", "grant", "ada", "site-operator", "--site", "default").code == 0
    assert corral("role", "grant", "ada", "site-operator", "--site", "default").code == 1
    shown = corral("account", "show", "ada", "--json").json
    assert [(one["role"], one["over"]) for one in shown["roles"]] == [
        ("site-operator", "default"),
        ("farm-reader", "farm"),
    ]
    assert "site-operator" in corral("role", "list").out
    assert corral("role", "revoke", "ada", "site-operator", "--site", "default").code == 0
    assert corral("role", "revoke", "ada", "site-operator", "--site", "default").code == 3
    assert "role-unknown" in corral("role", "grant", "ada", "king").err
    assert "role-extent" in corral("role", "grant", "ada", "site-reader").err
    assert corral("role", "grant", "ada").code == 2
    assert corral("group", "change", "team", "--drop", "ada", "--json").json["members"] == []
    assert corral("group", "remove", "team").code == 0
    assert corral("group", "list", "--json").json == []


def test_who_may_do_what_is_found_by_filters(corral: CommandLine) -> None:
    for name in ("ada", "bob"):
        corral("account", "add", name)
    corral("group", "add", "team", "--member", "ada")
    corral("role", "grant", "farm-reader", "--group", "team")
    corral("role", "grant", "bob", "site-operator", "--site", "default")

    def names(*words: str) -> list[str]:
        key = "holder" if words[0] == "role" else "name"
        return [one[key] for one in corral(*words, "--json").json]

    # By whatever it holds: roles of a group are those of its members.
    assert names("account", "list", "--filter", "role=farm-reader") == ["ada"]
    assert names("account", "list", "--filter", "group=") == ["admin", "bob"]
    assert names("account", "list", "--sort", "-name") == ["bob", "admin", "ada"]
    assert names("group", "list", "--filter", "member=ada") == ["team"]
    assert names("role", "list", "--filter", "over=default") == ["bob"]
    assert names("role", "list", "--filter", "group=yes") == ["team"]
    for name in ("one", "two"):
        corral("token", "create", name, "admin", "--scope", "*.read")
    corral("token", "revoke", "one", "--account", "admin")
    assert names("token", "list", "--filter", "works=yes") == ["two"]
    assert names("token", "list", "--filter", "scope=server.read") == ["one", "two"]
    page = corral("token", "list", "--limit", "1", "--json").json
    rest = corral("token", "list", "--after", page["next"], "--json").json
    assert [one["name"] for one in page["items"] + rest["items"]] == ["one", "two"]


def test_a_token_is_printed_once_and_revoked_by_name(
    corral: CommandLine, farm: FarmInMemory
) -> None:
    made = corral("token", "create", "ci", "admin", "--scope", "server.*", "--json").json
    caller = farm.application.recognise_caller(Token.parse(made["token"]), HOME)
    assert caller.actor.name == "ci of admin"
    listed = corral("token", "list", "--json")
    assert listed.json[0]["works"]
    assert made["token"] not in listed.out
    assert corral("token", "revoke", "ci", "--account", "admin").code == 0
    assert not corral("token", "list", "--account", "admin", "--json").json[0]["works"]
    assert "scope-unknown" in corral("token", "create", "x", "admin", "--scope", "nonsense").err


def test_the_audit_log_is_filtered_and_paged(corral: CommandLine) -> None:
    for name in ("ada", "bob", "eve"):
        corral("account", "add", name)
    first = corral("audit", "list", "--what", "account.add", "--limit", "2", "--json").json
    assert [one["thing"] for one in first["entries"]] == ["eve", "bob"]
    rest = corral("audit", "list", "--what", "account", "--before", str(first["next"]), "--json")
    assert [one["thing"] for one in rest.json["entries"]] == ["ada", "admin"]
    assert rest.json["next"] is None
    assert "older ones" in corral("audit", "list", "--limit", "1").out
    assert corral("audit", "list", "--thing", "nobody").out.startswith("nothing")
    assert corral("audit", "list", "--since", "2999-01-01", "--json").json["entries"] == []

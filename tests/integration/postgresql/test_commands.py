"""What a person meets who keeps a farm's records in PostgreSQL."""

import json
from pathlib import Path

import pytest
from demo.processes import free_port

from tests.integration.postgresql.conftest import CommandLine
from tests.postgresql import PASSWORD, USER, PostgreSQL

pytestmark = pytest.mark.postgresql


def test_a_farm_remembers_its_database(corral: CommandLine, postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    assert corral("farm", "create", "home", "--database", url).code == 0
    assert corral("device", "add", "pc1", "--mac", "52:54:00:12:34:56").code == 0
    assert [one["name"] for one in corral("device", "list").json] == ["pc1"]
    assert corral("farm", "show").json["database"] == url
    kept = corral.folder / "farm.json"
    assert json.loads(kept.read_text()) == {"format": 1, "database": url}
    assert kept.stat().st_mode & 0o077 == 0
    assert not (corral.folder / "farm.db").exists()


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://{USER}:hunter2@127.0.0.1/farm",
        "postgresql:///farm?password=hunter2",
        f"postgresql://{USER}:hunter2@127.0.0.1:port/farm",
        f"postgresql://{USER}:hunter2@[::1/farm",
        "mysql://hunter2/farm",
        f"postgresql+psycopg://{USER}:hunter2@127.0.0.1/farm",
    ],
)
def test_password_in_the_url_is_refused_and_not_repeated(corral: CommandLine, url: str) -> None:
    said = corral("farm", "create", "home", "--database", url)
    assert (said.code, said.problem) == (1, "database-url-invalid")
    assert "hunter2" not in said.out + said.err
    assert not corral.folder.exists()


def test_password_comes_from_a_file(corral: CommandLine, postgresql: PostgreSQL) -> None:
    name = postgresql.new_database().partition("?")[0].rpartition("/")[2]
    url = f"postgresql://{USER}@127.0.0.1:{postgresql.port}/{name}"
    create = ("farm", "create", "home", "--database", url)
    none = corral(*create)
    assert (none.code, none.problem) == (6, "farm-database-denied")
    wrong = corral(*create, PGPASSFILE=str(postgresql.pass_file("another")))
    assert (wrong.code, wrong.problem) == (6, "farm-database-denied")
    assert "PGPASSFILE" in wrong.err
    assert not corral.folder.exists()
    assert corral(*create, PGPASSFILE=str(postgresql.pass_file())).code == 0
    assert PASSWORD not in "".join(path.read_text() for path in corral.folder.glob("farm.*"))


def test_database_that_is_not_there_is_said(corral: CommandLine, postgresql: PostgreSQL) -> None:
    said = corral("farm", "create", "home", "--database", postgresql.url("nothing"))
    assert (said.code, said.problem) == (6, "farm-database-missing")
    assert "createdb" in said.err


def test_user_who_may_make_no_tables_is_told(corral: CommandLine, postgresql: PostgreSQL) -> None:
    url = postgresql.new_database()
    name = url.partition("?")[0].rpartition("/")[2]
    with postgresql.connection(name) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
    said = corral("farm", "create", "home", "--database", url.replace(USER, "guest", 1))
    assert (said.code, said.problem) == (6, "farm-database-denied")
    assert "must own the database" in said.err


def test_nobody_answers(corral: CommandLine) -> None:
    url = f"postgresql://{USER}@127.0.0.1:{free_port()}/farm"
    said = corral("farm", "create", "home", "--database", url)
    assert (said.code, said.problem) == (4, "farm-database-unreachable")
    assert "refused" in said.err


def test_check_of_a_farm_whose_database_refuses_names_the_account(
    corral: CommandLine, postgresql: PostgreSQL
) -> None:
    name = postgresql.new_database().partition("?")[0].rpartition("/")[2]
    url = f"postgresql://{USER}@127.0.0.1:{postgresql.port}/{name}"
    known = {"PGPASSFILE": str(postgresql.pass_file())}
    assert corral("farm", "create", "home", "--database", url, **known).code == 0
    said = corral("farm", "check", PGPASSWORD="hunter2")
    assert (said.code, said.json["farm"], said.json["passed"]) == (7, None, False)
    (finding,) = said.json["findings"]
    assert (finding["code"], finding["severity"]) == ("database-unreachable", "error")
    assert finding["object"] == f"database {url}"
    assert f"account {USER!r}" in finding["message"]
    assert "no snapshot of logins" in finding["message"]
    assert said.json["logins"] is None
    assert said.json["database"] == {"url": url, "account": USER}
    assert "hunter2" not in said.out + said.err
    assert corral("farm", "check", **known).json["findings"][0]["code"] != "database-unreachable"


def test_database_holds_one_farm(
    corral: CommandLine, postgresql: PostgreSQL, tmp_path: Path
) -> None:
    url = postgresql.new_database()
    assert corral("farm", "create", "home", "--database", url).code == 0
    again = corral("farm", "create", "home", "--database", url)
    assert (again.code, again.problem) == (1, "farm-exists")
    other = CommandLine(tmp_path / "other")
    said = other("farm", "create", "away", "--database", url)
    assert (said.code, said.problem) == (1, "farm-exists")
    assert not other.folder.exists()


def test_farm_keeps_its_database(corral: CommandLine, postgresql: PostgreSQL) -> None:
    assert corral("farm", "create", "home").code == 0
    said = corral("farm", "create", "home", "--database", postgresql.new_database())
    assert (said.code, said.problem) == (1, "farm-folder-taken")
    assert not (corral.folder / "farm.json").exists()

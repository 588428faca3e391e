"""Workers whose database is killed, and comes back."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.farm.disks import write_random_disk
from tests.integration.tasks.conftest import Workshop, opened_workshop, wait_until
from tests.postgresql import PostgreSQL

pytestmark = pytest.mark.postgresql


@pytest.fixture
def workshop(mortal: PostgreSQL, tmp_path: Path) -> Iterator[Workshop]:
    with opened_workshop(tmp_path, "--database", mortal.new_database()) as workshop:
        yield workshop


def test_worker_outlives_its_database_and_does_each_task_once(
    mortal: PostgreSQL, workshop: Workshop, tmp_path: Path
) -> None:
    disk = write_random_disk(tmp_path / "disk.raw", 384 << 20)
    worker = workshop.worker()
    number = workshop.start_import(disk)
    workshop.freeze_halfway(number, worker)
    mortal.kill()
    worker.thaw()
    # The import is through or was stopped, and there is nobody who could be told.
    wait_until("the worker misses its database", lambda: "ending not kept" in worker.says)
    mortal.start()
    task = workshop.wait_for(number, "done")
    assert task["result"] == "published golden/1"
    assert workshop.versions() == ["golden/1"]
    # It takes further tasks as if nothing had been, without being started anew.
    verify = workshop.corral.ask("task", "start", "verify", "server=s1")["number"]
    workshop.wait_for(verify, "done")
    assert worker.process.poll() is None


def test_a_machine_whose_password_is_wrong_is_named_before_its_services_are_restarted(
    mortal: PostgreSQL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the connections that it has, and would not come up again."""
    ours = mortal.new_database()
    name = ours.partition("@/")[2].partition("?")[0]
    with mortal.connection("postgres") as connection:
        connection.execute("CREATE ROLE clerk LOGIN PASSWORD 'first'")
        connection.execute(f"ALTER DATABASE {name} OWNER TO clerk")
    passwords = tmp_path / "passwords"
    passwords.write_text("*:*:*:clerk:first\n")
    passwords.chmod(0o600)
    url = f"postgresql://clerk@127.0.0.1:{mortal.port}/{name}?passfile={passwords}"
    with opened_workshop(tmp_path, "--database", url) as workshop:
        worker = workshop.worker()
        with mortal.connection("postgres") as connection:
            connection.execute("ALTER ROLE clerk PASSWORD 'second'")
        # Whoever looks comes in by another door.
        monkeypatch.setenv("CORRAL_DATABASE_URL", ours)

        def named() -> dict[str, str]:
            done = workshop.corral.run("farm", "check")
            return {
                one["object"]: one["message"]
                for one in json.loads(done.stdout)["findings"]
                if one["code"] == "account-refused"
            }

        wait_until("the account is told of", named)
        ((about, told),) = named().items()
        assert about.startswith("worker ")
        assert "clerk" in told
        assert "password authentication failed" in told
        assert "first" not in told
        # It still works with the connections that it had.
        assert worker.process.poll() is None
        with mortal.connection("postgres") as connection:
            connection.execute("ALTER ROLE clerk PASSWORD 'first'")
        wait_until("it is well again", lambda: not named())
    with mortal.connection("postgres") as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        connection.execute("DROP ROLE clerk")

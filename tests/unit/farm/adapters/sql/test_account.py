"""As whom a process comes to the database."""

import os
import pwd

import pytest

from corral.farm.adapters.sql.account import account_of

PROCESS = pwd.getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("postgresql://corral@127.0.0.1/farm", "corral"),
        ("postgresql://127.0.0.1/farm?user=corral", "corral"),
        ("postgresql:///farm?service=lab", "that of service lab"),
        ("postgresql://a,b/farm", PROCESS),
        ("sqlite:////srv/corral/farm.db", PROCESS),
    ],
)
def test_the_user_of_the_url_comes_first_and_that_of_the_process_last(
    url: str, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PGUSER", "PGSERVICE"):
        monkeypatch.delenv(name, raising=False)
    assert account_of(url) == account


def test_the_environment_may_name_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGUSER", "service")
    assert account_of("postgresql://a,b/farm") == "service"
    assert account_of("postgresql://corral@a/farm") == "corral"

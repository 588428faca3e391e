"""How a connection to PostgreSQL is sought; no server is needed to find none."""

from pathlib import Path

import pytest

from corral.farm.adapters.sql.postgresql import Connector
from corral.farm.domain.estate.errors import DatabaseUrlInvalidError, FarmDatabaseUnreachableError


def test_nobody_answers_and_the_pauses_end(tmp_path: Path) -> None:
    pauses: list[float] = []
    seek = Connector(f"postgresql:///farm?host={tmp_path}", (0.5, 1.0), pauses.append)
    with pytest.raises(FarmDatabaseUnreachableError, match="No such file"):
        seek()
    assert pauses == [0.5, 1.0]


def test_every_host_is_named_that_did_not_answer(tmp_path: Path) -> None:
    url = f"postgresql:///farm?host={tmp_path}/first,{tmp_path}/second"
    with pytest.raises(FarmDatabaseUnreachableError, match=r"/first/.*; .*/second/"):
        Connector(url, ())()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "farm",
        "host=127.0.0.1 dbname=farm",
        "postgresql+psycopg://127.0.0.1/farm",
        "postgresql://127.0.0.1/farm?nonsense=1",
        "postgresql://me:secret@127.0.0.1/farm",
        "postgresql:///farm?sslpassword=secret",
    ],
)
def test_only_a_url_without_a_password_will_do(url: str) -> None:
    with pytest.raises(DatabaseUrlInvalidError) as refused:
        Connector(url)
    assert "secret" not in refused.value.message

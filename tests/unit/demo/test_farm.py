"""What ``corral --json`` prints becomes facts."""

import pytest
from demo.errors import DemoError
from demo.farm import (
    parse_answer,
    parse_fetched_bytes,
    parse_import,
    parse_server_states,
    parse_sessions,
)

IMPORTED = {
    "version": "golden/1",
    "number": 1,
    "root": "ab" * 32,
    "size_bytes": 402_653_184,
    "published": True,
    "chunks": 6144,
    "zero_chunks": 1200,
    "new_chunks": 4800,
    "stored_bytes": 120_000_000,
    "changed_chunks": None,
    "changed_bytes": None,
}


def test_a_first_version_has_changed_nothing() -> None:
    published = parse_import(IMPORTED)
    assert (published.name, published.number, published.changed_bytes) == ("golden/1", 1, 0)


def test_an_import_that_published_nothing_is_refused() -> None:
    with pytest.raises(DemoError, match="golden/1 already has the same content"):
        parse_import({**IMPORTED, "published": False})


def test_adds_up_the_sessions_of_one_device_by_server() -> None:
    sessions = [
        {"device": "pc1", "server": "s1", "sent_bytes": 5},
        {"device": "pc1", "server": "s1", "sent_bytes": 7},
        {"device": "pc1", "server": "s2", "sent_bytes": 0},
        {"device": "pc2", "server": "s2", "sent_bytes": 9},
        {"device": None, "server": "s2", "sent_bytes": 9},
    ]
    assert parse_sessions({"sessions": sessions}, "pc1") == {"s1": 12, "s2": 0}


def test_takes_the_bytes_of_the_server_that_was_asked_for() -> None:
    replicas = [
        {"server": "s1", "state": "complete", "fetched_bytes": 0, "problem": ""},
        {"server": "s2", "state": "complete", "fetched_bytes": 77, "problem": ""},
    ]
    assert parse_fetched_bytes({"version": "golden/1", "replicas": replicas}, "s2") == 77


def test_says_why_a_replica_is_not_complete() -> None:
    stuck = {"server": "s2", "state": "stuck", "fetched_bytes": 0, "problem": "no space"}
    with pytest.raises(DemoError, match="stuck no space"):
        parse_fetched_bytes({"version": "golden/1", "replicas": [stuck]}, "s2")


def test_reads_the_servers_states() -> None:
    answer = {"servers": [{"name": "s1", "state": "online"}, {"name": "s2", "state": "unknown"}]}
    assert parse_server_states(answer) == {"s1": "online", "s2": "unknown"}


@pytest.mark.parametrize("output", ["", "error: no farm here", "[]"])
def test_refuses_what_is_not_an_object(output: str) -> None:
    with pytest.raises(DemoError, match="corral status"):
        parse_answer("status", output)

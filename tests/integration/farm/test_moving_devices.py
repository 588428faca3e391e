"""A server is drained, relieved or removed: what reads there goes on elsewhere."""

import json
from collections.abc import Iterator

import pytest

from tests.integration.farm.estate import IMAGE, Estate, is_offered


@pytest.fixture(scope="module")
def roomy_estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """A farm of its own, with three servers that hold the image: one may be drained."""
    estate = Estate.at(tmp_path_factory.mktemp("roomy"))
    try:
        estate.build()
        estate.add_server("s3")
        estate.start_stream("s3")
        estate.corral.ask("image", "replicate", f"{IMAGE}/1", "--to", "s3", "--wait")
        yield estate
    finally:
        estate.end()


@pytest.fixture
def estate(roomy_estate: Estate) -> Iterator[Estate]:
    roomy_estate.bring_up()
    yield roomy_estate
    roomy_estate.end_clients()


def test_a_client_leaves_a_server_that_drains(estate: Estate) -> None:
    client = estate.start_client("pc1-drain")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    leaving = client.current_server()
    assert leaving is not None
    # A drain is refused while the farm has not heard of the others for a while.
    estate.wait_for(
        lambda: estate.corral.run("server", "drain", leaving).returncode == 0,
        f"{leaving} could not be drained",
    )
    staying = {"s1", "s2", "s3"} - {leaving}
    estate.wait_for(lambda: set(estate.offered_servers()) == staying, f"{staying} were not offered")
    estate.wait_for(lambda: client.current_server() in staying, "the client did not move")
    estate.wait_for(lambda: estate.session_counts()[leaving] == 0, "a session stayed")
    reader.go_on_for(1)
    # Until it is undrained, it lets nobody in, whatever ticket he has.
    assert not is_offered(estate.servers[leaving], estate.login())
    assert all(is_offered(estate.servers[name], estate.login()) for name in staying)


def test_a_client_that_logged_in_while_others_were_away_leaves_all_the_same(estate: Estate) -> None:
    estate.kill("s2")
    estate.kill("s3")
    estate.wait_for(lambda: estate.offered_servers() == ["s1"], "others were still offered")
    client = estate.start_client("pc1-alone")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    estate.bring_up()
    assert client.servers() == ["s1"]
    estate.wait_for(
        lambda: estate.corral.run("server", "drain", "s1").returncode == 0,
        "s1 could not be drained",
    )
    estate.wait_for(lambda: client.current_server() in {"s2", "s3"}, "the client did not move")
    estate.wait_for(lambda: estate.session_counts()["s1"] == 0, "a session stayed")
    reader.go_on_for(1)


def test_a_drain_that_would_leave_a_device_to_one_server_is_refused(estate: Estate) -> None:
    client = estate.start_client("pc1-proof")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    serving = client.current_server()
    assert serving is not None
    estate.wait_for(lambda: estate.session_counts()[serving] > 0, "its session was not reported")
    lost = min({"s1", "s2", "s3"} - {serving})
    estate.kill(lost)
    estate.wait_for(lambda: estate.states()[lost] == "unknown", f"{lost} is not missed")
    refusal = estate.corral.refusal("server", "drain", serving)
    assert refusal.code == "drain-unsafe"
    assert "device pc1 (golden/1)" in refusal.message
    reader.go_on_for(1)


def test_a_device_moves_to_the_server_that_the_farm_wants_it_on(estate: Estate) -> None:
    client = estate.start_client("pc1-move")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    first = client.current_server()
    assert first is not None
    wanted, *others = sorted({"s1", "s2", "s3"} - {first})
    for name in (first, *others):
        estate.corral.ask("server", "change", name, "--power", "0.1")
    estate.corral.ask("server", "change", wanted, "--power", "100")

    def is_planned() -> bool:
        # On a busy machine the client changes servers by itself, too: the farm must have seen it.
        planned = estate.corral.ask("site", "rebalance", "default", "--dry-run")
        assert not planned["ordered"]
        moves = [(move["device"], move["from"], move["to"]) for move in planned["moves"]]
        return moves == [("pc1", client.current_server(), wanted)]

    estate.wait_for(is_planned, "nobody would be moved")
    ordered = estate.corral.ask("site", "rebalance", "default")
    assert ordered["ordered"]
    assert [(move["device"], move["to"]) for move in ordered["moves"]] == [("pc1", wanted)]
    estate.wait_for(lambda: client.current_server() == wanted, "the client did not move")
    assert "the farm wants this device to leave" in client.program.log.read_text()
    reader.go_on_for(1)
    # The farm sees where it reads, long before it would have given up.
    kept = estate.servers[ordered["moves"][0]["from"]].kept_configuration
    estate.wait_for(lambda: not json.loads(kept.read_text())["moves"], "the move does not end")


def test_a_server_is_removed_while_others_serve(estate: Estate) -> None:
    client = estate.start_client("pc1-stays")
    reader = client.read_forever(estate.root)
    reader.go_on_for(1)
    server = estate.add_server("s4")
    estate.start_stream("s4")
    estate.corral.ask("image", "replicate", f"{IMAGE}/1", "--to", "s4", "--wait")
    visitor = estate.start_client("visitor", estate.login(["s4"]))
    visitor.read_forever(estate.root)
    estate.wait_for(lambda: estate.session_counts()["s4"] > 0, "its session was not reported")
    refusal = estate.corral.refusal("server", "remove", "s4")
    assert refusal.code == "server-needed"
    assert "devices stream from it: pc1" in refusal.message
    visitor.end()
    estate.wait_for(
        lambda: estate.corral.run("server", "remove", "s4").returncode == 0,
        "s4 could not be removed",
    )
    # Its process hears of it, and ends by itself; so does one that is started again.
    assert set(estate.servers) - set(estate.states()) == {"s4"}
    del estate.servers["s4"]
    estate.wait_for(lambda: not estate.is_running("s4"), "the stream process did not end")
    assert "server-removed" in estate.log_of("s4")
    assert not server.kept_configuration.exists()
    again = estate.corral.refusal("serve", "stream", "--config", str(server.file))
    assert (again.exit_code, again.code) == (1, "server-removed")
    reader.go_on_for(1)
    assert server.store.is_dir()

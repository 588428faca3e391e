"""A relay between a farm and engines: it carries both ways, goes on alone, and never lies."""

from pathlib import Path
from uuid import UUID

import httpx

from corral.farm.domain.check.finding import Kind
from corral.farm.domain.computer.why import Why
from corral.wire import engine as wire
from corral.wire.relay import RELAYED_HEADER
from tests.engines import Engine, machine
from tests.integration.relay.conftest import DEBIAN, ROGER, Branch


def said(engine: Engine, client: httpx.Client, **facts: object) -> tuple[wire.Orders, str]:
    """Check in; give the orders, and whether they were carried or kept."""
    answer = engine.asked(client, engine.check_in_text(**facts))
    assert answer.is_success, answer.text
    orders = engine.take(wire.SignedOrders.model_validate_json(answer.content))
    return orders, answer.headers[RELAYED_HEADER]


def event(number: int) -> wire.EngineEvent:
    return wire.EngineEvent(
        number=number, at=1, severity=wire.Severity.WARNING, code="tried", text=f"event {number}"
    )


def events(branch: Branch) -> list[str]:
    found = branch.read("/v1/computers/laptop/events").get("events", [])
    return sorted(one["text"] for one in found)


def test_what_is_assigned_comes_and_goes_and_engines_are_carried(branch: Branch) -> None:
    app = branch.application
    branch.start("worker", "serve", "worker")
    branch.start_relay()
    branch.wait_for_relay()
    with branch.client() as site:
        engine = branch.engine(site)
        assert said(engine, site)[0].machines == ()
        branch.wait_for_copies()
        app.assign_image(DEBIAN, [ROGER])
        branch.wait_for_copies(debian_1="complete")
        branch.wait_for(
            lambda: (
                [(str(one.task.request.kind), str(one.task.state)) for one in app.list_tasks()]
                == [("relay", "done")]
            ),
            "the transfer is no task that ends",
        )
        orders, how = said(engine, site)
        assert how == "carried"
        (order,) = orders.machines
        assert [(one.server, one.has) for one in orders.sources] == [("r1", (order.root,))]
        urls = [f"http://127.0.0.1:{one}" for one in (branch.management_port, branch.api_port)]
        assert list(orders.api_urls) == urls
        chunks = f"http://127.0.0.1:{branch.chunk_port}/v1/roots/{order.root}"
        (ticket,) = orders.tickets
        assert httpx.get(chunks, headers=bearer(ticket.ticket), trust_env=False).is_success
        said(engine, site, machines=(machine(order, wire.MachineState.DOWNLOADING),))
        (view,) = app.list_user_images(ROGER)
        assert view.difference is not None
        assert view.difference.why is Why.DOWNLOADING
        app.unassign_image(DEBIAN, [ROGER])
        branch.wait_for_copies()
        assert engine.signal(site).generation == orders.generation + 1


def test_a_relay_answers_while_its_line_is_cut_and_tells_the_farm_afterwards(
    branch: Branch,
) -> None:
    branch.application.assign_image(DEBIAN, [ROGER])
    branch.start_relay()
    branch.wait_for_relay()
    with branch.client() as site:
        engine = branch.engine(site)
        branch.wait_for_copies(debian_1="complete")
        before, _ = said(engine, site)
        stranger = Engine("stranger", farm=engine.farm)
        newcomer = Engine("newcomer")

        branch.cut()
        orders, how = said(engine, site, events=(event(1),))
        assert (orders, how) == (before, f"kept; issued_at={before.issued_at}")
        # Kept orders open the relay's chunks, for whoever the farm gave them to.
        chunks = f"http://127.0.0.1:{branch.chunk_port}/v1/roots/{before.machines[0].root}"
        ticket = before.tickets[0].ticket
        assert httpx.get(chunks, headers=bearer(ticket), trust_env=False).is_success

        stranger.sequence = engine.sequence
        refused = stranger.asked(site, stranger.check_in_text())
        assert (refused.status_code, refused.json()["code"]) == (401, "computer-signature-wrong")
        engine.sequence -= 1
        refused = engine.asked(site, engine.check_in_text())
        assert (refused.status_code, refused.json()["code"]) == (409, "check-in-replayed")
        refused = site.post("/v1/computers/register", json=newcomer.registration())
        assert (refused.status_code, refused.json()["code"]) == (503, "relay-line-cut")
        refused = engine.asked(site, engine.check_in_text(), at=UUID(int=9))
        assert (refused.status_code, refused.json()["code"]) == (503, "relay-line-cut")
        waited = site.get(f"/v1/computers/{engine.id}/signal", params={"generation": 9})
        assert (waited.status_code, waited.json()["code"]) == (503, "relay-line-cut")
        behind = site.get(f"/v1/computers/{engine.id}/signal", params={"generation": 0})
        assert behind.json()["generation"] == before.generation

        # Killed and started while the line is cut, it goes on from its disk.
        branch.kill_relay()
        branch.start_relay()
        branch.wait_for_relay()
        _, how = said(engine, site, events=(event(1), event(2)))
        assert how.startswith("kept")
        assert branch.kept(engine)["sequence"] == engine.sequence
        ahead = engine.asked(site, engine.check_in_text(generation=before.generation + 1))
        assert (ahead.status_code, ahead.json()["code"]) == (503, "relay-line-cut")
        said(engine, site, events=(event(1), event(2), event(3)))

        branch.mend()
        branch.wait_for(lambda: len(events(branch)) == 3, "the farm heard nothing")
        assert sorted(events(branch)) == ["event 1", "event 2", "event 3"]
        branch.wait_for(
            lambda: branch.kept(engine)["undelivered"] is None, "it is to be delivered again"
        )
        branch.wait_for(
            lambda: said(engine, site)[1] == "carried", "the relay does not carry again"
        )


def test_a_relay_of_another_release_refuses_and_says_so(branch: Branch, tmp_path: Path) -> None:
    other = tmp_path / "other" / "corral-9.9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: corral\nVersion: 9.9.9\n")
    branch.application.assign_image(DEBIAN, [ROGER])
    branch.start_relay(PYTHONPATH=str(other.parent))
    branch.wait_for_relay()

    def shown() -> dict[str, str]:
        found = branch.read("/v1/servers/r1")
        return {key: found.get(key, "") for key in ("release", "refusal")}

    branch.wait_for(lambda: shown()["release"] == "9.9.9", "r1 does not say its release")
    refusal = shown()["refusal"]
    assert "is of release 9.9.9, its farm of" in refusal
    with branch.client() as site:
        refused = site.post("/v1/computers/register", json=Engine("laptop").registration())
        problem = refused.json()
        assert (refused.status_code, problem["code"]) == (503, "relay-release-differs")
        assert problem["detail"] == refusal
    found = [one for one in branch.application.check_farm().findings if one.thing == "server r1"]
    assert [one.message for one in found if one.kind is Kind.RELAY_REFUSES] == [refusal]
    with branch.client(branch.api_port) as api:
        engine = branch.engine(api)
        orders = engine.check_in(api)
    assert orders.not_yet == (orders.machines[0].root,)
    chunks = f"http://127.0.0.1:{branch.chunk_port}/v1/roots/{orders.machines[0].root}"
    try:
        httpx.get(chunks, trust_env=False)
    except httpx.ConnectError:
        pass
    else:
        raise AssertionError("somebody gives chunks there")

    branch.kill_relay()
    branch.start_relay()
    branch.wait_for(lambda: not shown()["refusal"], "r1 still refuses")
    branch.wait_for_copies(debian_1="complete")
    with branch.client() as site:
        branch.wait_for(lambda: said(engine, site)[0].not_yet == (), "r1 is not ready")


def bearer(ticket: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {ticket}"}

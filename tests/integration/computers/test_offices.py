"""A computer's life with its farm: commands on one side, an engine that signs on the other."""

import threading
from datetime import datetime

import httpx

from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.why import Difference, Why
from corral.wire import engine as wire
from tests.engines import Engine, machine, running
from tests.integration.computers.conftest import DEBIAN, ROGER, Office
from tests.integration.tasks.conftest import wait_until

LAPTOP = computer_name("laptop")


def test_an_image_reaches_its_user_and_a_kill_reaches_the_computer(office: Office) -> None:
    app = office.application
    with office.serving() as api:
        engine = office.engine(api)
        assert engine.check_in(api).machines == ()
        before = engine.orders
        assert before is not None
        heard: list[wire.Signal] = []
        waits = threading.Thread(target=lambda: heard.append(engine.signal(api)))
        waits.start()
        app.assign_image(DEBIAN, [ROGER])
        waits.join()
        assert heard == [wire.Signal(generation=before.generation + 1)]
        (order,) = engine.check_in(api).machines
        assert order.version == "debian/1"
        assert office.difference() == Difference(Why.NOT_CHECKED_IN, since=_heard_at(office))
        engine.machines = (
            machine(order, wire.MachineState.DOWNLOADING, done_bytes=1, total_bytes=4),
        )
        engine.check_in(api)
        row = office.row()["machines"][0]["difference"]
        assert (row["why"], row["percent"]) == ("downloading", 25)
        engine.machines = (running(order),)
        engine.check_in(api)
        assert office.difference() is None

        app.kill_computer(LAPTOP)
        app.undo_kill(LAPTOP)
        assert engine.check_in(api).machines == (order,)
        app.kill_computer(LAPTOP)
        assert engine.check_in(api).erases
        assert office.corral.refusal("computer", "kill-undo", "laptop").code == "computer-told"
        engine.check_in(api, erased=True)
        refused = engine.asked(api, engine.check_in_text())
        assert (refused.status_code, refused.json()["code"]) == (401, "computer-killed")
        app.recycle_computer(LAPTOP)
        assert office.engine(api).id != engine.id


def _heard_at(office: Office) -> datetime:
    said = office.application.show_computer(LAPTOP).said
    assert said is not None
    return said.at


def test_what_was_heard_outlives_the_process_that_heard_it(office: Office) -> None:
    office.application.assign_image(DEBIAN, [ROGER])
    with office.serving() as api:
        engine = office.engine(api)
        (order,) = engine.check_in(api).machines
        engine.machines = (running(order),)
        text = engine.check_in_text()
        assert engine.asked(api, text).is_success
        generation = engine.check_in(api).generation
    with office.serving() as api:
        replayed = engine.asked(api, text)
        assert (replayed.status_code, replayed.json()["code"]) == (409, "check-in-replayed")
        assert engine.check_in(api).generation == generation
        assert office.difference() is None


def test_a_process_that_stops_lets_those_who_wait_go(office: Office) -> None:
    heard: list[wire.Signal] = []

    def wait(engine: Engine) -> None:
        with httpx.Client(base_url=office.url, timeout=60.0) as own:
            heard.append(engine.signal(own))

    with office.serving() as api:
        engine = office.engine(api)
        orders = engine.check_in(api)
        waits = threading.Thread(target=wait, args=(engine,))
        waits.start()
        wait_until("it waits", lambda: "corral_engines_waiting 1.0" in _metrics(office, api))
    waits.join()
    assert heard == [wire.Signal(generation=orders.generation)]


def _metrics(office: Office, api: httpx.Client) -> str:
    key = (office.corral.farm / "reader.key").read_text().strip()
    return api.get("/metrics", headers={"Authorization": f"Bearer {key}"}).text

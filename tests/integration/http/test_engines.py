"""Engines register, check in and wait, over real sockets and with real signatures."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corral.farm.application.change_computer import ComputerEdit
from corral.farm.application.change_image import ImageEdit
from corral.farm.application.ports.backups import Restoration
from corral.farm.application.set_machine_policy import PolicyEdit
from corral.farm.application.take_server_report import ReportedReplica, ServerReport
from corral.farm.domain.access.ticket import Purpose
from corral.farm.domain.backup.backup import BackupId
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.errors import ComputerToldError
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.computer.why import Why
from corral.farm.domain.image.image import image_name
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.image.write_cache import ImageMode
from corral.farm.entrypoints.http.admission import Limits, SignalLimits
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.signals import Signals
from corral.wire import engine as wire
from tests.engines import Engine, encoded, machine, running
from tests.integration.http.conftest import READER, SmallFarm, served_app

LAPTOP, ROGER, DEBIAN = computer_name("laptop"), user_name("rboston"), image_name("debian")


def code_for(farm: SmallFarm, user: str | None = "rboston", uses: int = 1) -> str:
    name = None if user is None else user_name(user)
    return farm.application.issue_code(name, uses=uses).secret.reveal()


def complete(farm: SmallFarm) -> None:
    """Let the server say that it has the version in full."""
    size = farm.version.size_bytes
    report = ServerReport(
        farm.application.show_farm().farm.generation,
        replicas=(ReportedReplica(farm.version.root, ReplicaState.COMPLETE, size, size, size),),
    )
    farm.application.take_server_report(farm.server.server.id, report)


@pytest.fixture
def farm() -> SmallFarm:
    small = SmallFarm()
    small.application.add_user(ROGER, "Roger Boston")
    complete(small)
    return small


@contextmanager
def waiting_room(farm: SmallFarm, limits: SignalLimits) -> Iterator[tuple[httpx.Client, Signals]]:
    """Serve the API, and tell who waits there for a signal."""
    app = create_app(farm.application, READER.digest(), Limits(signals=limits))
    with served_app(app) as client:
        yield client, app.state.signals


@pytest.fixture
def room(farm: SmallFarm) -> Iterator[tuple[httpx.Client, Signals]]:
    quick = SignalLimits(seconds=20.0, look_every=0.02, look_anyway_every=0.2)
    with waiting_room(farm, quick) as both:
        yield both


@pytest.fixture
def api(room: tuple[httpx.Client, Signals]) -> httpx.Client:
    return room[0]


@pytest.fixture
def engine(farm: SmallFarm, api: httpx.Client) -> Engine:
    """Give one that is registered with a code for its user."""
    made = Engine()
    made.register(api, code_for(farm))
    return made


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


# Registration.


def test_a_code_registers_a_computer_for_its_user_and_is_used_up(
    farm: SmallFarm, api: httpx.Client
) -> None:
    code = code_for(farm)
    answer = Engine().register(api, code)
    assert (answer.name, answer.state) == ("laptop", wire.ComputerState.REGISTERED)
    assert answer.farm == farm.application.show_farm().farm.id
    assert base64.b64decode(answer.farm_public_key) == farm.ports.farm_key.public_key()
    assert answer.api_urls == ("http://127.0.0.1:10800",)
    assert answer.certificate_authority.startswith("-----BEGIN CERTIFICATE-----")
    view = farm.application.show_computer(LAPTOP)
    assert view.users == (ROGER,)
    second = Engine("other").registration(code)
    refused = api.post("/v1/computers/register", json=second)
    assert problem(refused) == (401, "registration-code-wrong")


def test_asking_again_changes_nothing_even_with_a_code_that_is_used_up(
    farm: SmallFarm, api: httpx.Client
) -> None:
    one, code = Engine(), code_for(farm)
    first = one.register(api, code)
    assert one.register(api, code) == first
    assert one.register(api) == first
    assert len(farm.application.list_computers()) == 1


def test_without_a_code_a_computer_waits_until_somebody_approves_it(
    farm: SmallFarm, api: httpx.Client
) -> None:
    one = Engine()
    assert one.register(api, user="rboston").state is wire.ComputerState.WAITING
    assert one.check_in(api).state is wire.ComputerState.WAITING
    farm.application.assign_image(DEBIAN, [ROGER])
    assert one.check_in(api).machines == ()
    farm.application.approve_computer(LAPTOP)
    assert one.register(api).state is wire.ComputerState.REGISTERED
    (order,) = one.check_in(api).machines
    assert (order.image, order.user, order.version) == ("debian", "rboston", "debian/1")


def test_a_computer_that_was_refused_may_ask_again(farm: SmallFarm, api: httpx.Client) -> None:
    one = Engine()
    first = one.register(api)
    farm.application.refuse_computer(LAPTOP)
    text = one.check_in_text()
    assert problem(one.asked(api, text)) == (401, "computer-signature-wrong")
    assert one.register(api).computer != first.computer


def test_a_code_gets_a_name_that_somebody_who_waits_has_taken(
    farm: SmallFarm, api: httpx.Client
) -> None:
    squatter, owner = Engine(), Engine()
    squatter.register(api)
    answer = api.post("/v1/computers/register", json=owner.registration())
    assert problem(answer) == (409, "computer-name-taken")
    assert owner.register(api, code_for(farm)).state is wire.ComputerState.REGISTERED
    assert farm.application.show_computer(LAPTOP).computer.public_key == owner.public_key
    answer = api.post("/v1/computers/register", json=squatter.registration(code_for(farm)))
    assert problem(answer) == (409, "computer-name-taken")


def test_only_so_many_wait_but_a_code_always_registers(
    farm: SmallFarm, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("corral.farm.application.register_computer.WAITING_AT_MOST", 2)
    for name in ("one", "two"):
        Engine(name).register(api)
    answer = api.post("/v1/computers/register", json=Engine("three").registration())
    assert problem(answer) == (503, "computers-wait")
    assert Engine("three").register(api, code_for(farm)).state is wire.ComputerState.REGISTERED


def test_who_asks_must_have_the_key_that_they_name(api: httpx.Client) -> None:
    mine, other = Engine(), Engine()
    body = mine.registration()
    body["signature"] = other.registration()["signature"]
    assert problem(api.post("/v1/computers/register", json=body)) == (
        401,
        "computer-signature-wrong",
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"name": "Not A Name"}, (422, "name-invalid")),
        ({"public_key": encoded(bytes(31))}, (422, "computer-key-invalid")),
        ({"public_key": "???"}, (422, "check-in-invalid")),
        ({"engine": {}}, (422, "check-in-invalid")),
        ({"format": 2}, (422, "check-in-invalid")),
        ({"code": "abcd"}, (401, "registration-code-wrong")),
    ],
)
def test_a_registration_that_cannot_be_right_is_refused(
    api: httpx.Client, change: dict[str, object], expected: tuple[int, str]
) -> None:
    one = Engine()
    text = json.dumps({**json.loads(one.registration()["registration"]), **change})
    body = one.signed("registration", text, wire.registration_message(text))
    answer = api.post("/v1/computers/register", json=body)
    assert problem(answer) == expected
    assert "???" not in answer.text, "what was given may be a secret"


# Check-ins and orders.


def test_orders_carry_the_version_its_root_its_signature_and_who_gives_it(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    farm.application.assign_image(DEBIAN, [ROGER])
    orders = engine.check_in(api)
    (order,) = orders.machines
    assert (order.mode, order.root) == (wire.MachineMode.SHARED, farm.version.root.hex)
    key = Ed25519PublicKey.from_public_bytes(farm.ports.farm_key.public_key())
    key.verify(base64.b64decode(order.signature), farm.version.root.signed_message())
    (source,) = orders.sources
    assert (source.server, source.url) == ("s1", "http://127.0.0.1:10901")
    assert source.has == (order.root,)
    assert orders.not_yet == ()
    (ticket,) = orders.tickets
    assert ticket.root == order.root
    claims = base64.urlsafe_b64decode(ticket.ticket + "==")
    assert claims[1] == Purpose.FETCH.value
    assert claims[2:34] == farm.version.root.digest
    assert UUID(bytes=claims[42:58]) == engine.id
    key.verify(claims[58:], b"corral ticket v1\0" + claims[:58])


def test_a_generation_rises_only_when_something_else_is_said(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    app = farm.application
    first = engine.check_in(api)
    assert (first.generation, first.machines) == (1, ())
    assert engine.check_in(api).generation == 1
    app.assign_image(DEBIAN, [ROGER])
    assert engine.check_in(api).generation == 2
    # What concerns somebody else, and what was undone before anybody heard of it, is no news.
    app.add_user(user_name("bsmith"))
    app.assign_image(DEBIAN, [user_name("bsmith")])
    app.assign_image(DEBIAN, [ROGER], is_staged=True)
    app.assign_image(DEBIAN, [ROGER])
    farm.ports.clock.advance(timedelta(days=2))
    again = engine.check_in(api)
    assert again.generation == 2
    assert again.tickets != first.tickets, "tickets are renewed all the same"
    app.set_machine_policy(DEBIAN, PolicyEdit(memory_mib=2048))
    later = engine.check_in(api)
    assert (later.generation, later.machines[0].policy.memory_mib) == (3, 2048)
    app.unassign_image(DEBIAN, [ROGER])
    assert engine.check_in(api).generation == 4


def test_after_a_restoration_the_epoch_counts(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    before = engine.check_in(api)
    assert before.epoch == 0
    now = farm.ports.clock.now()
    with farm.ports.transactions.writing() as records:
        records.restorations.put(Restoration(BackupId(UUID(int=1)), now, now))
    refused = engine.asked(api, engine.check_in_text())
    assert (refused.status_code, refused.json()["code"]) == (503, "farm-observes")
    farm.application.accept_difference("the disk broke")
    after = engine.check_in(api)
    assert after.epoch == int(now.timestamp()) > before.epoch


def test_what_is_not_there_yet_is_told_before_it_can_be_fetched(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    """S59 to S61: what is known travels ahead of the bytes."""
    with farm.ports.transactions.writing() as records:
        replica = records.replicas.find(farm.server.server.id, farm.version.root)
        assert replica is not None
        now = farm.ports.clock.now()
        half = farm.version.size_bytes // 2
        fetching = replace(
            replica,
            state=ReplicaState.FETCHING,
            done_bytes=half,
            total_bytes=farm.version.size_bytes,
            wanted_at=now - timedelta(seconds=100),
            bytes_per_second=half // 100,
            reported_at=now,
        )
        records.replicas.put(fetching)
    farm.application.assign_image(DEBIAN, [ROGER])
    orders = engine.check_in(api)
    root = farm.version.root.hex
    assert orders.not_yet == (root,)
    assert orders.sources[0].has == ()
    assert orders.not_yet_until is not None
    assert 98 <= orders.not_yet_until - now.timestamp() <= 102
    (order,) = orders.machines
    engine.machines = (machine(order, wire.MachineState.READY_TO_DOWNLOAD),)
    engine.check_in(api)
    (view,) = farm.application.list_computer_images(LAPTOP)
    assert view.difference is not None
    assert view.difference.why is Why.READY_TO_DOWNLOAD
    assert view.difference.until is not None
    complete(farm)
    assert engine.check_in(api).not_yet == ()


def test_what_is_told_of_a_machine_is_what_the_farm_shows(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    """S64 to S67: running, assigned, and why they differ, with progress."""
    app = farm.application
    app.assign_image(DEBIAN, [ROGER])
    (order,) = engine.check_in(api).machines

    def why() -> Any:  # noqa: ANN401 - whichever
        (view,) = (one for one in app.list_image_users(DEBIAN) if one.user.name == ROGER)
        assert view.assigned == ("1",)
        return view.running, [one.difference and one.difference.why for one in view.machines]

    assert why() == ((), [Why.NOT_CHECKED_IN])
    for state, expected in (
        (wire.MachineState.DOWNLOADING, Why.DOWNLOADING),
        (wire.MachineState.PAUSED, Why.PAUSED),
        (wire.MachineState.PREPARING, Why.PREPARING),
        (wire.MachineState.WAITING_FOR_RESTART, Why.WAITING_FOR_VM_RESTART),
        (wire.MachineState.HELD, Why.BLOCKED),
        (wire.MachineState.FAILED, Why.FAILED),
        (wire.MachineState.WENT_BACK, Why.WENT_BACK),
    ):
        engine.machines = (machine(order, state, done_bytes=3, total_bytes=9),)
        engine.check_in(api)
        assert why() == ((), [expected])
    (view,) = app.list_computer_images(LAPTOP)
    assert view.difference is not None
    assert view.difference.percent == 33
    engine.machines = (running(order),)
    engine.check_in(api)
    assert why() == (("1",), [None])
    app.unassign_image(DEBIAN, [ROGER])
    (left,) = app.list_computer_images(LAPTOP)
    assert (left.granted, left.assigned, left.running and left.running.number) == (None, None, 1)


def test_trying_again_reaches_the_computer_and_is_waited_for(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    """S74: failed, with a retry."""
    app = farm.application
    app.assign_image(DEBIAN, [ROGER])
    (order,) = engine.check_in(api).machines
    engine.machines = (machine(order, wire.MachineState.WENT_BACK),)
    engine.check_in(api)
    app.retry_machine(LAPTOP, DEBIAN)
    (view,) = app.list_computer_images(LAPTOP)
    assert view.difference is not None
    assert view.difference.why is Why.NOT_CHECKED_IN
    (again,) = engine.check_in(api).machines
    assert again.attempt == 1


def test_a_custom_image_stays_where_its_user_began(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    app = farm.application
    app.remove_device(farm.device.device.name)
    app.change_image(DEBIAN, ImageEdit(mode=ImageMode.CUSTOM))
    app.assign_image(DEBIAN, [ROGER])
    (order,) = engine.check_in(api).machines
    assert order.mode is wire.MachineMode.CUSTOM
    engine.machines = (running(order),)
    assert engine.check_in(api).machines == (order,)


# Who is believed.


def test_what_was_heard_once_is_not_heard_again(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    text = engine.check_in_text()
    assert engine.asked(api, text).is_success
    assert problem(engine.asked(api, text)) == (409, "check-in-replayed")
    engine.sequence = 5
    assert engine.asked(api, engine.check_in_text()).is_success
    engine.sequence = 3
    assert problem(engine.asked(api, engine.check_in_text())) == (409, "check-in-replayed")
    said = farm.application.show_computer(LAPTOP).said
    assert said is not None
    assert said.sequence == 6


def test_nobody_else_is_believed(farm: SmallFarm, api: httpx.Client, engine: Engine) -> None:
    thief = Engine(farm=engine.farm)
    other = Engine("other")
    other.register(api, code_for(farm))
    stranger = Engine(farm=engine.farm)
    stranger.farm = replace_computer(engine, UUID(int=1 << 101))
    wrong = (401, "computer-signature-wrong")
    assert problem(thief.asked(api, thief.check_in_text())) == wrong
    assert problem(stranger.asked(api, stranger.check_in_text())) == wrong
    # Another computer of the same farm, which signs well, in the first one's name.
    mine = other.check_in_text()
    assert problem(other.asked(api, mine, at=engine.id)) == wrong
    # And a message for one computer is none for another, whoever signed it.
    text = other.check_in_text(computer=engine.id)
    assert problem(other.asked(api, text)) == (401, "check-in-foreign")
    foreign = engine.check_in_text(farm=UUID(int=1 << 102))
    assert problem(engine.asked(api, foreign)) == (401, "check-in-foreign")
    said = farm.application.show_computer(LAPTOP).said
    assert said is not None
    assert said.sequence == 0


def replace_computer(engine: Engine, computer: UUID) -> wire.RegistrationAnswer:
    assert engine.farm is not None
    return engine.farm.model_copy(update={"computer": computer})


def test_a_signature_for_one_purpose_is_none_for_another(api: httpx.Client, engine: Engine) -> None:
    text = engine.check_in_text()
    body = engine.signed("check_in", text, wire.registration_message(text))
    answer = api.post(f"/v1/computers/{engine.id}/check-in", json=body)
    assert problem(answer) == (401, "computer-signature-wrong")


BAD: list[tuple[str, Callable[[dict[str, Any]], None]]] = [
    ("sequence", lambda said: said.update(sequence=0)),
    ("sequence", lambda said: said.update(sequence=1 << 63)),
    ("generation", lambda said: said.update(generation=-1)),
    ("machines", lambda said: said.update(machines=said["machines"] * 257)),
    ("state", lambda said: said["machines"][0].update(state="asleep")),
    ("running", lambda said: said["machines"][0].update(running="AB" * 32)),
    ("format", lambda said: said.update(format=2)),
    ("kit", lambda said: said.pop("kit")),
]


@pytest.mark.parametrize(("where", "spoil"), BAD)
def test_what_cannot_be_right_is_refused_with_where_and_never_kept(
    farm: SmallFarm,
    api: httpx.Client,
    engine: Engine,
    where: str,
    spoil: Callable[[dict[str, Any]], None],
) -> None:
    said = json.loads(engine.check_in_text())
    said["machines"] = [
        {"image": "debian", "user": "rboston", "mode": "shared", "state": "downloading"}
    ]
    spoil(said)
    answer = engine.asked(api, json.dumps(said))
    assert problem(answer) == (422, "check-in-invalid")
    assert where in answer.json()["detail"]
    known = farm.application.show_computer(LAPTOP).said
    assert known is not None
    assert known.sequence == 0


@pytest.mark.parametrize("text", ["", "[]", "null", "{", "\u0000", '{"farm":1}'])
def test_what_is_no_message_is_refused_though_it_is_signed(
    api: httpx.Client, engine: Engine, text: str
) -> None:
    assert problem(engine.asked(api, text)) == (422, "check-in-invalid")


def test_a_field_of_a_newer_engine_is_ignored(api: httpx.Client, engine: Engine) -> None:
    said = {**json.loads(engine.check_in_text()), "mood": {"is": "good"}}
    assert engine.asked(api, json.dumps(said)).is_success


def test_what_is_too_large_is_refused_before_it_is_read(api: httpx.Client, engine: Engine) -> None:
    answer = engine.asked(api, " " * (1 << 20) + engine.check_in_text())
    assert problem(answer) == (422, "request-invalid")
    answer = engine.asked(api, " " * (5 << 20))
    assert problem(answer) == (413, "request-too-large")
    body = {"registration": " " * (64 << 10), "signature": ""}
    answer = api.post("/v1/computers/register", json=body)
    assert problem(answer) == (413, "request-too-large")


def test_a_clock_however_wrong_and_text_however_odd_is_kept(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    event = wire.EngineEvent(
        number=1, at=1 << 60, severity=wire.Severity.ERROR, code="x", text="a\x00b"
    )
    engine.check_in(
        api,
        sent_at=1e300,
        events=(event,),
        machines=[
            {
                "image": "\x00",
                "user": "ü" * 255,
                "mode": "local",
                "state": "failed",
                "started_at": 1 << 62,
                "done_bytes": 1 << 80,
                "problem": "\x00",
            }
        ],
    )
    (kept,) = farm.application.list_computer_events(LAPTOP)
    assert (kept.text, kept.at.year) == ("a\ufffdb", 1970)
    said = farm.application.show_computer(LAPTOP).said
    assert said is not None
    assert said.machines[0].started_at is None


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    body=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(max_size=20),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["check_in", "signature", "registration", "format", "x"]), inner
            )
        ),
        max_leaves=8,
    )
)
def test_no_body_brings_the_api_down(api: httpx.Client, engine: Engine, body: object) -> None:
    for path in ("register", f"{engine.id}/check-in"):
        answer = api.post(f"/v1/computers/{path}", json=body)
        assert answer.status_code in {401, 422}, answer.text


# Kill, recycle, delete.


def test_a_kill_is_undone_until_the_computer_has_been_told(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    app = farm.application
    app.assign_image(DEBIAN, [ROGER])
    assert len(engine.check_in(api).machines) == 1
    app.kill_computer(LAPTOP)
    app.undo_kill(LAPTOP)
    assert not engine.check_in(api).erases
    app.kill_computer(LAPTOP)
    told = engine.check_in(api)
    assert (told.erases, told.machines, told.tickets, told.sources) == (True, (), (), ())
    assert told.state is wire.ComputerState.KILL_PENDING
    with pytest.raises(ComputerToldError):
        app.undo_kill(LAPTOP)
    assert engine.check_in(api).erases, "until it says that it has"
    assert engine.check_in(api, erased=True).state is wire.ComputerState.KILLED


def test_a_killed_computer_is_not_listened_to_until_it_is_recycled(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    app = farm.application
    app.kill_computer(LAPTOP)
    engine.check_in(api)
    engine.check_in(api, erased=True)
    killed = (401, "computer-killed")
    assert problem(engine.asked(api, engine.check_in_text())) == killed
    again = api.post("/v1/computers/register", json=engine.registration(code_for(farm)))
    assert problem(again) == killed
    waits = api.get(f"/v1/computers/{engine.id}/signal")
    assert problem(waits) == (404, "computer-unknown")
    # Its keys are gone with everything else: it comes back with another, under its name.
    anew = Engine()
    taken = api.post("/v1/computers/register", json=anew.registration(code_for(farm)))
    assert problem(taken) == (409, "computer-name-taken")
    app.recycle_computer(LAPTOP)
    assert problem(engine.asked(api, engine.check_in_text())) == killed
    assert anew.register(api, code_for(farm)).computer != engine.id
    assert anew.check_in(api).generation == 1
    assert problem(engine.asked(api, engine.check_in_text())) == (401, "computer-signature-wrong")


def test_nobody_learns_from_outside_whether_a_computer_was_killed(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    farm.application.kill_computer(LAPTOP)
    engine.check_in(api, erased=True)
    thief = Engine(farm=engine.farm)
    assert problem(thief.asked(api, thief.check_in_text())) == (401, "computer-signature-wrong")


def test_a_deleted_computer_is_a_stranger(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    farm.application.delete_computer(LAPTOP)
    answer = engine.asked(api, engine.check_in_text())
    assert problem(answer) == (401, "computer-signature-wrong")


# Signals.


def test_a_signal_comes_when_there_is_news_and_not_before(
    farm: SmallFarm, room: tuple[httpx.Client, Signals], engine: Engine
) -> None:
    api = room[0]
    orders = engine.check_in(api)
    heard: list[wire.Signal] = []
    waits = threading.Thread(target=lambda: heard.append(engine.signal(api)))
    waits.start()
    until_waiting(room, 1)
    farm.application.add_user(user_name("bsmith"))
    assert not heard
    farm.application.assign_image(DEBIAN, [ROGER])
    waits.join()
    assert heard == [wire.Signal(generation=orders.generation + 1)]
    assert engine.check_in(api).generation == heard[0].generation


def until_waiting(room: tuple[httpx.Client, Signals], count: int) -> None:
    """Go on asking the process something else until so many wait there."""
    api, signals = room
    for _ in range(5000):
        api.get("/v1/health").raise_for_status()
        if signals.count == count:
            return
    pytest.fail(f"{count} engines never waited")


def test_old_news_is_told_at_once_and_a_stranger_is_sent_away(
    farm: SmallFarm, api: httpx.Client, engine: Engine
) -> None:
    farm.application.assign_image(DEBIAN, [ROGER])
    engine.check_in(api)
    assert engine.signal(api, 0).generation == 1
    answer = api.get(f"/v1/computers/{UUID(int=1 << 100)}/signal", params={"generation": 0})
    assert problem(answer) == (404, "computer-unknown")


def test_who_waits_long_enough_hears_that_nothing_is_new(farm: SmallFarm) -> None:
    short = SignalLimits(seconds=0.3, look_every=0.02)
    with waiting_room(farm, short) as (api, _):
        one = Engine()
        one.register(api, code_for(farm))
        orders = one.check_in(api)
        assert one.signal(api).generation == orders.generation


def test_only_so_many_wait_for_a_signal(farm: SmallFarm) -> None:
    few = SignalLimits(seconds=20.0, of_all=1, look_every=0.02)
    with waiting_room(farm, few) as room:
        api = room[0]
        first, second = Engine("one"), Engine("two")
        for one in (first, second):
            one.register(api, code_for(farm))
            one.check_in(api)
        waits = threading.Thread(target=lambda: first.signal(api))
        waits.start()
        until_waiting(room, 1)
        answer = api.get(f"/v1/computers/{second.id}/signal", params={"generation": 1})
        assert problem(answer) == (503, "signals-busy")
        assert answer.headers["retry-after"]
        farm.application.change_computer(computer_name("one"), ComputerEdit(is_paused=True))
        farm.application.assign_image(DEBIAN, [ROGER])
        waits.join()


def test_an_engine_that_asks_anew_takes_its_own_place(
    farm: SmallFarm, room: tuple[httpx.Client, Signals], engine: Engine
) -> None:
    api = room[0]
    orders = engine.check_in(api)
    heard: list[wire.Signal] = []
    waits = [threading.Thread(target=lambda: heard.append(engine.signal(api))) for _ in range(2)]
    waits[0].start()
    until_waiting(room, 1)
    waits[1].start()
    farm.application.assign_image(DEBIAN, [ROGER])
    for one in waits:
        one.join()
    assert {one.generation for one in heard} <= {orders.generation, orders.generation + 1}
    assert room[1].count == 0


def test_who_stops_waiting_leaves_nothing_behind(
    farm: SmallFarm, room: tuple[httpx.Client, Signals], engine: Engine
) -> None:
    engine.check_in(room[0])
    with (
        httpx.Client(base_url=room[0].base_url, timeout=0.5) as impatient,
        pytest.raises(httpx.ReadTimeout),
    ):
        engine.signal(impatient)
    until_waiting(room, 0)

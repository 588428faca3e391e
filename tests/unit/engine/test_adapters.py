"""The engine's files and messages, on a real disk and without a network."""

import base64
import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.unit.engine.orders import COMPUTER, FARM
from tests.unit.engine.world import ABILITIES, POLICY, order, version

from corral.engine.adapters.clock import SystemClock
from corral.engine.adapters.identity import FileIdentity, is_signed
from corral.engine.adapters.locks import hold
from corral.engine.adapters.messages import check_in, read_orders
from corral.engine.adapters.state_folder import StateFolder
from corral.engine.application.ports import Facts, FarmPlace, Status
from corral.engine.domain.failures import (
    AgentTwiceError,
    KeyUnusableError,
    StateUnusableError,
)
from corral.engine.domain.journal import Notice, Severity
from corral.engine.domain.machine.record import (
    GivenUp,
    Machine,
    MachineKey,
    Mode,
    Start,
    Wish,
)
from corral.engine.domain.machine.seen import Power, Seen
from corral.engine.domain.machine.stage import Event, StageTransitionError
from corral.engine.domain.moment import Moment
from corral.engine.domain.orders import Standing, Window
from corral.engine.domain.report import report
from corral.wire import engine as wire

PLACE = FarmPlace(FARM, "north", "key", COMPUTER, "pc1", Standing.REGISTERED, ("https://a",), "")
FACTS = Facts(
    "1.2", "x86_64", (1,), None, has_kvm=True, memory_bytes=1, disk_bytes=2, disk_free_bytes=1
)
NOTICE = Notice(Severity.WARNING, "went-back", "it went back", "debian")


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    state = StateFolder(tmp_path / "state")
    state.prepare()
    return state


def rich_machine() -> Machine:
    """One with something in every field."""
    moment = Moment("boot", 7.5)
    return replace(
        Machine(MachineKey("de/bi an", "r@b"), Mode.CUSTOM, POLICY).ordered(version(2)),
        current=version(1),
        proven=version(1),
        given_up=GivenUp("ff" * 32, 3, "not-healthy", "why"),
        wish=Wish.SUSPENDED,
        wished=moment,
        is_suspended=True,
        start=Start(moment, 12, "aa" * 32, is_resumed=True),
        stopping=moment,
        told=moment,
        postponed_seconds=5,
    )


def test_a_machine_is_read_back_as_it_was_kept(state: StateFolder) -> None:
    machine = rich_machine()
    state.keep_machine(machine)
    assert StateFolder(state.path).machines() == {machine.key: machine}
    file = state.machine(machine.key) / "state.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.parent.parent == state.path / "machines"


def test_a_machine_whose_removal_was_broken_off_is_gone(state: StateFolder) -> None:
    machine = rich_machine()
    state.keep_machine(machine)
    folder = state.machine(machine.key)
    (folder / "system.qcow2").write_bytes(b"disk")
    folder.rename(folder.with_name(f".going-{folder.name}"))
    assert state.machines() == {}
    assert list((state.path / "machines").iterdir()) == []
    state.forget_machine(machine.key)


def test_what_was_half_written_when_the_power_went_counts_for_nothing(state: StateFolder) -> None:
    machine = rich_machine()
    state.keep_machine(machine)
    (state.machine(machine.key) / ".state.json.99").write_text('{"format": 1, "mach')
    assert state.machines() == {machine.key: machine}


def test_state_that_cannot_be_read_is_named_and_not_taken_for_none(state: StateFolder) -> None:
    machine = rich_machine()
    state.keep_machine(machine)
    (state.machine(machine.key) / "state.json").write_text("{}")
    with pytest.raises(StateUnusableError, match=r"state\.json"):
        state.machines()
    (state.path / "farm.json").write_text("nonsense")
    with pytest.raises(StateUnusableError):
        state.place()


def test_sequences_and_events_are_numbered_for_ever(state: StateFolder) -> None:
    assert [state.next_sequence() for _ in range(3)] == [1, 2, 3]
    assert StateFolder(state.path).next_sequence() == 4
    for at in range(300):
        state.note(NOTICE, at)
    assert [one.number for one in state.events()] == list(range(45, 301))
    state.forget_events(300)
    state.note(NOTICE, 1)
    assert [one.number for one in state.events()] == [301]


def test_erasing_is_begun_before_anything_goes_and_the_key_goes_last(state: StateFolder) -> None:
    FileIdentity(state.identity).public_key()
    state.keep_place(PLACE)
    state.keep_machine(rich_machine())
    state.begin_erasing()
    state.erase_data()
    assert state.is_erasing()
    assert state.machines() == {}
    assert state.identity.exists()
    state.erase_identity()
    assert not state.is_erasing()
    assert {path.name for path in state.path.iterdir()} == {"run"}


def test_a_key_is_made_once_and_refused_when_others_can_read_it(tmp_path: Path) -> None:
    identity = FileIdentity(tmp_path / "identity.key")
    key = identity.public_key()
    assert FileIdentity(tmp_path / "identity.key").public_key() == key
    assert is_signed(key, b"message", identity.sign(b"message"))
    assert not is_signed(key, b"another", identity.sign(b"message"))
    (tmp_path / "identity.key").chmod(0o640)
    with pytest.raises(KeyUnusableError, match="others"):
        FileIdentity(tmp_path / "identity.key").sign(b"")


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    hold(tmp_path / "lock", tmp_path, "an agent")
    with pytest.raises(AgentTwiceError):
        hold(tmp_path / "lock", tmp_path, "an agent")


def test_moments_go_forward_and_know_their_boot() -> None:
    clock = SystemClock()
    first, second = clock.now(), clock.now()
    since = second.seconds_since(first)
    assert since is not None
    assert since >= 0
    assert second.seconds_since(Moment("another", first.seconds)) is None
    assert second.has_passed(Moment("another", first.seconds), 1e9)
    assert 0 <= clock.minute_of_day() < 24 * 60


def signed_orders(key: Ed25519PrivateKey) -> wire.SignedOrders:
    root = "ab" * 32
    signature = base64.b64encode(key.sign(b"corral root v1\0" + bytes.fromhex(root))).decode()
    machine = wire.MachineOrder(
        image="debian",
        user="rboston",
        mode=wire.MachineMode.SHARED,
        version="debian/1",
        root=root,
        signature=signature,
        size_bytes=7,
    )
    forged = machine.model_copy(update={"image": "other", "root": "cd" * 32})
    orders = wire.Orders(
        farm=FARM,
        computer=COMPUTER,
        generation=4,
        issued_at=0,
        state=wire.ComputerState.REGISTERED,
        machines=(machine, forged),
        windows=(wire.Rate(between="22:30-06:00", rate=5),),
    )
    text = orders.model_dump_json()
    signature = base64.b64encode(key.sign(wire.orders_message(text))).decode()
    return wire.SignedOrders(orders=text, signature=signature)


def public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()


def test_orders_are_read_and_roots_that_the_farm_did_not_sign_left_out() -> None:
    key = Ed25519PrivateKey.generate()
    given = read_orders(signed_orders(key), public(key))
    assert given.is_signed
    assert [str(one) for one in given.orders.machines] == ["debian@rboston"]
    assert given.orders.windows == (Window(22 * 60 + 30, 6 * 60, 5),)


def test_orders_that_were_changed_on_their_way_are_known_for_it() -> None:
    key = Ed25519PrivateKey.generate()
    signed = signed_orders(key)
    changed = signed.model_copy(update={"orders": signed.orders.replace("debian/1", "debian/2")})
    assert not read_orders(changed, public(key)).is_signed
    assert not read_orders(signed, public(Ed25519PrivateKey.generate())).is_signed


def test_kept_orders_are_read_back_as_they_came(state: StateFolder) -> None:
    key = Ed25519PrivateKey.generate()
    place = replace(PLACE, farm_public_key=public(key))
    assert state.read(place) is None
    given = read_orders(signed_orders(key), public(key))
    state.keep(given)
    assert state.read(place) == given


def test_a_check_in_says_what_runs_and_not_what_was_wished() -> None:
    machine = replace(
        rich_machine(), mode=Mode.SHARED, key=MachineKey("debian", "rboston"), last_started_at=12
    )
    seen = Seen(power=Power.RUNNING, root=version(1).root, is_healthy=True)
    said = report(order(2), machine, seen, {}, ABILITIES)
    status = Status(FACTS, PLACE, None, [(machine, seen, said)], ())
    text = check_in(PLACE, status, 5, 1.0).model_dump_json()
    heard = wire.CheckIn.model_validate_json(text)
    (one,) = heard.machines
    assert (one.wanted, one.running, one.proven) == (
        version(2).root,
        version(1).root,
        version(1).root,
    )
    assert (one.state, one.is_running, one.started_at) == ("ready-to-download", True, 12)
    assert json.loads(text)["engine"]["accelerator"] == "kvm"


def test_a_machine_that_moves_against_the_table_is_refused() -> None:
    with pytest.raises(StageTransitionError, match="empty"):
        Machine(MachineKey("a", "b"), Mode.SHARED).moved(Event.PROVED)

"""What people do with users and computers, and engines themselves."""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.unit.farm.application.machine.estate import collections
from tests.unit.farm.application.machine.farm import Farm
from tests.unit.farm.application.machine.steps import Steps, cuts, images

from corral.farm.application.change_computer import ComputerEdit
from corral.farm.application.promote_version import PromotionRequest
from corral.farm.application.register_computer import AskedRegistration
from corral.farm.application.set_machine_policy import PolicyEdit
from corral.farm.domain.computer.check_in import (
    CheckIn,
    MachineState,
    SeenEngine,
    SeenKit,
    SeenMachine,
)
from corral.farm.domain.computer.computer import ComputerId, ComputerName, computer_name
from corral.farm.domain.computer.errors import (
    CheckInReplayedError,
    ComputerKilledError,
    ComputerToldError,
)
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.user import (
    UserGroupName,
    UserName,
    user_group_name,
    user_name,
)
from corral.farm.domain.estate.collection import CollectionName
from corral.farm.domain.image.image import ImageName
from corral.farm.domain.image.root import RootHash
from corral.farm.domain.image.version import Access, VersionName, VersionNumber

users = st.sampled_from(["ada", "bob"]).map(user_name)
groups = st.sampled_from(["all", "few"]).map(user_group_name)
computers = st.sampled_from(["laptop", "laptop", "desk"]).map(computer_name)
ENGINE = SeenEngine("1.0.0", image_formats=(1,))


@dataclass
class Engine:
    """What is kept on a computer: its key, its counter, its orders, and its machines."""

    key: Ed25519PrivateKey
    id: ComputerId
    sequence: int = 0
    in_force: tuple[int, int] = (0, 0)
    has: dict[tuple[str, str], RootHash] = field(default_factory=dict)
    """Of each image and user, what runs."""
    is_erased: bool = False


def key_of(name: str, number: int) -> Ed25519PrivateKey:
    """Give the same key to both farms."""
    return Ed25519PrivateKey.from_private_bytes(f"{name} {number}".encode().ljust(32, b"."))


class ComputerSteps(Steps):
    @rule(name=users, cut=cuts)
    def add_user(self, name: UserName, cut: int | None) -> None:
        self.take(lambda f: f.application.add_user(name), cut)

    @rule(name=users, cut=cuts)
    def remove_user(self, name: UserName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_user(name), cut)

    @rule(name=groups, member=users, joins=st.booleans(), cut=cuts)
    def form_user_group(
        self, *, name: UserGroupName, member: UserName, joins: bool, cut: int | None
    ) -> None:
        def step(farm: Farm) -> None:
            if all(view.group.name != name for view in farm.application.list_user_groups()):
                farm.application.add_user_group(name)
            came, left = ([member], []) if joins else ([], [member])
            farm.application.change_user_group(name, add=came, remove=left)

        self.take(step, cut)

    @rule(name=groups, cut=cuts)
    def remove_user_group(self, name: UserGroupName, cut: int | None) -> None:
        self.take(lambda f: f.application.remove_user_group(name), cut)

    @rule(image=images, user=users, group=groups | st.none(), staged=st.booleans(), cut=cuts)
    def assign_to_users(
        self,
        *,
        image: ImageName,
        user: UserName,
        group: UserGroupName | None,
        staged: bool,
        cut: int | None,
    ) -> None:
        users_, groups_ = ([user], []) if group is None else ([], [group])
        self.take(
            lambda f: f.application.assign_image(image, users_, groups_, is_staged=staged), cut
        )

    @rule(image=images, user=users, cut=cuts)
    def unassign_from_users(self, image: ImageName, user: UserName, cut: int | None) -> None:
        self.take(lambda f: f.application.unassign_image(image, [user]), cut)

    @rule(image=images, memory=st.sampled_from([1024, 2048]), cut=cuts)
    def set_policy(self, image: ImageName, memory: int, cut: int | None) -> None:
        edit = PolicyEdit(memory_mib=memory)
        self.take(lambda f: f.application.set_machine_policy(image, edit), cut)

    @rule(
        name=computers, user=users | st.none(), has_code=st.booleans(), anew=st.booleans(), cut=cuts
    )
    def register_computer(
        self,
        *,
        name: ComputerName,
        user: UserName | None,
        has_code: bool,
        anew: bool,
        cut: int | None,
    ) -> None:
        self.take(lambda f: ask(f, name, user, has_code=has_code, anew=anew), cut)

    @rule(
        name=computers,
        verb=st.sampled_from(
            ["approve", "refuse", "kill", "kill", "undo", "recycle", "recycle", "delete"]
        ),
        cut=cuts,
    )
    def move_computer(self, name: ComputerName, verb: str, cut: int | None) -> None:
        verbs = {"kill": "kill_computer", "undo": "undo_kill", "recycle": "recycle_computer"}
        called = verbs.get(verb, f"{verb}_computer")
        self.take(lambda f: getattr(f.application, called)(name), cut)

    @rule(name=computers, user=users, uses=st.booleans(), where=collections, cut=cuts)
    def change_computer(
        self,
        *,
        name: ComputerName,
        user: UserName,
        uses: bool,
        where: CollectionName,
        cut: int | None,
    ) -> None:
        edit = ComputerEdit(
            collection=where,
            is_paused=uses,
            add_users=(user,) if uses else (),
            drop_users=() if uses else (user,),
        )
        self.take(lambda f: f.application.change_computer(name, edit), cut)

    @rule(name=computers, image=images, cut=cuts)
    def retry(self, name: ComputerName, image: ImageName, cut: int | None) -> None:
        self.take(lambda f: f.application.retry_machine(name, image), cut)

    @rule(
        image=images,
        number=st.sampled_from([1, 1, 2]),
        verb=st.sampled_from(["retire_version", "promote_version", "pin_version"]),
        cut=cuts,
    )
    def move_version_of_users(
        self, image: ImageName, number: int, verb: str, cut: int | None
    ) -> None:
        name = VersionName(image, VersionNumber(number))
        asked = PromotionRequest(name, Access.TEST) if verb == "promote_version" else name
        self.take(lambda f: getattr(f.application, verb)(asked), cut)

    @rule(name=computers, cut=cuts)
    def check_in_and_obey(self, name: ComputerName, cut: int | None) -> None:
        """What happens most."""
        self.check_in_of(name, cut, obeys=True, repeats=False)

    @rule(name=computers, obeys=st.booleans(), repeats=st.booleans(), cut=cuts)
    def check_in(self, *, name: ComputerName, obeys: bool, repeats: bool, cut: int | None) -> None:
        """An engine says how it is, hears what should be, and does it if it ``obeys``."""
        self.check_in_of(name, cut, obeys=obeys, repeats=repeats)

    def check_in_of(
        self, name: ComputerName, cut: int | None, *, obeys: bool, repeats: bool
    ) -> None:
        def step(farm: Farm) -> None:
            engine = farm.engines.get(name)
            if engine is not None:
                speak(farm, engine, obeys=obeys, repeats=repeats)

        self.take(step, cut)


def ask(
    farm: Farm, name: ComputerName, user: UserName | None, *, has_code: bool, anew: bool = False
) -> None:
    """Ask to be registered, with the key that the computer has or with a new one."""
    code = farm.application.issue_code(user).secret.reveal() if has_code else None
    number = farm.keys.get(name, 0) + anew
    key = key_of(name, number)
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    asked = AskedRegistration(name, public, ENGINE, code, user)
    answer = farm.application.register_computer(asked, b"m", key.sign(b"m"))
    farm.keys[name] = number
    known = farm.engines.get(name)
    if known is None or known.id != answer.computer.id:
        farm.engines[name] = Engine(key, answer.computer.id)


def speak(farm: Farm, engine: Engine, *, obeys: bool, repeats: bool) -> None:
    """Check in as an engine does, and hold what it hears against what must hold."""
    app = farm.application
    # The number is on its disk before it is said, so that a cut line makes no second one of it.
    engine.sequence += 1
    message = b"%d" % engine.sequence
    known = app.recognise_computer(engine.id, message, engine.key.sign(message))
    before = app.show_computer(known.name)
    foretold = app.look_for_orders([engine.id])[engine.id]
    said = _said(farm, engine)
    told = app.take_check_in(app.show_farm().farm.id, said, has_erased_itself=engine.is_erased)
    orders = told.orders
    assert (told.epoch, told.generation) >= engine.in_force, "orders went back"
    # What it says now may change what it is told; else that was known before it said anything.
    says_the_same = before.said is not None and before.said.machines == said.machines
    if says_the_same and not engine.is_erased:
        assert told.generation == foretold, "a signal said something else"
    assert orders.erases is (known.erases and not engine.is_erased)
    if orders.state is ComputerState.REGISTERED:
        _nothing_is_taken_that_is_assigned(farm, engine, known.name)
    assert {one.root for one in told.tickets} == {one.root for one in orders.machines}
    engine.in_force = (told.epoch, told.generation)
    if orders.erases:
        _cannot_be_called_back(farm, known.name)
        engine.is_erased = obeys
        engine.has.clear()
    elif obeys:
        engine.has = {(one.image, one.user): one.root for one in orders.machines}
    if engine.is_erased and not orders.erases:
        return
    if repeats:
        try:
            app.take_check_in(app.show_farm().farm.id, said)
        except (CheckInReplayedError, ComputerKilledError):
            return
        message_ = "a repeated check-in was heard"
        raise AssertionError(message_)


def _cannot_be_called_back(farm: Farm, name: ComputerName) -> None:
    try:
        farm.application.undo_kill(name)
    except ComputerToldError:
        return
    message = "a computer that was told to erase itself was called back"
    raise AssertionError(message)


def _said(farm: Farm, engine: Engine) -> CheckIn:
    machines = tuple(
        SeenMachine(image, user, "shared", MachineState.PROVEN, root, running=root, proven=root)
        for (image, user), root in sorted(engine.has.items())
    )
    now = farm.ports.clock.now()
    generation = engine.in_force[1]
    return CheckIn(
        engine.id, engine.sequence, now, ENGINE, SeenKit("1.0.0"), machines, generation=generation
    )


def _nothing_is_taken_that_is_assigned(farm: Farm, engine: Engine, name: ComputerName) -> None:
    for view in farm.application.list_computer_images(name):
        has = engine.has.get((view.image.name, view.user.name))
        if view.granted is not None and has is not None:
            assert view.ordered is not None, "what somebody keeps there would go"
        if view.difference is None and view.assigned is not None:
            assert view.running_root == view.assigned.root

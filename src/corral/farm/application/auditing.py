"""Every change that a verb makes is noted in the audit log, in the transaction of the change.

Here, too, is refused what a farm that observes must not change: no verb can forget to ask.

Verbs do not call it: they are given transactions that do it for them, so that none can forget. What
is done to a noun is told by the name of the repository's method, by the conventions below; a test
demands that each method of each repository is classified.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import is_dataclass
from enum import Enum, auto
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol, cast

from corral.farm.application.observing import refuse_change
from corral.farm.domain.access.access_token import AccessToken
from corral.farm.domain.access.account import RoleGrant
from corral.farm.domain.access.audit import Entry, differences, facts, label
from corral.farm.domain.computer.assignment import ImageAssignment
from corral.farm.domain.computer.policy import ImagePolicy
from corral.farm.domain.delivery.errors import MacTakenError
from corral.farm.domain.errors import UnknownThingError
from corral.farm.domain.image.replica import ReplicaState
from corral.farm.domain.library.assignment import KitAssignment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import TypeAlias
    from uuid import UUID

    from corral.farm.application.ports.records import Records, Transactions
    from corral.farm.application.ports.sources import Clock
    from corral.farm.domain.access.actor import Actor
    from corral.farm.domain.access.audit import Fact

    _Note: TypeAlias = Callable[[str, object, object], None]
    _Refuse: TypeAlias = Callable[[str, str], None]

    class _Method(Protocol):
        def __call__(self, *given: object, **named: object) -> object: ...


class Effect(Enum):
    """What a method of a repository does, seen from the audit log."""

    READS = auto()
    ADDS = auto()
    """``add(thing)``."""
    REPLACES = auto()
    """``change(seen, after)``."""
    EDITS = auto()
    """``set_this(id, …)``: the repository's ``with_id`` tells what was and what is."""
    PUTS = auto()
    """``put(replica)``: that it is wanted from now on is told, how far it is is not."""
    REMOVES = auto()
    """``remove(id)``, or what ``find`` takes, or the thing itself."""
    OBSERVES = auto()
    """What machines say all day, and what follows from other changes; not told."""
    NOTES = auto()
    """The audit log's own."""


_BY_NAME: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "add": Effect.ADDS,
        "publish": Effect.ADDS,
        "set_up": Effect.ADDS,
        "change": Effect.REPLACES,
        "move": Effect.REPLACES,
        "put": Effect.PUTS,
        "remove": Effect.REMOVES,
        "assign": Effect.EDITS,
        "set_report": Effect.OBSERVES,
        "set_login": Effect.OBSERVES,
        "set_signed_in": Effect.OBSERVES,
        "forget_expired": Effect.OBSERVES,
        "raise_generation": Effect.OBSERVES,
        "raise_generation_to": Effect.OBSERVES,
        "note": Effect.NOTES,
        "all": Effect.READS,
        "get": Effect.READS,
        "find": Effect.READS,
        "newest": Effect.READS,
        "page": Effect.READS,
    }
)
_BY_BEGINNING: Final[Mapping[str, Effect]] = MappingProxyType(
    {
        "set_": Effect.EDITS,
        "of_": Effect.READS,
        "in_": Effect.READS,
        "with_": Effect.READS,
        "count_": Effect.READS,
        "find_": Effect.READS,
        "logged_in_": Effect.READS,
    }
)
# Of single nouns, against the conventions.
_OF_NOUN: Final[Mapping[tuple[str, str], Effect]] = MappingProxyType(
    {
        ("sessions", "replace"): Effect.OBSERVES,
        ("tasks", "keep"): Effect.OBSERVES,
        ("tasks", "next_number"): Effect.READS,
        ("tasks", "active"): Effect.READS,
        ("tasks", "ended"): Effect.READS,
        ("tasks", "log"): Effect.READS,
        ("tasks", "prune"): Effect.OBSERVES,
        ("schedules", "keep"): Effect.OBSERVES,
        ("workers", "put"): Effect.OBSERVES,
        ("workers", "remove"): Effect.OBSERVES,
        ("device_caches", "set_used"): Effect.OBSERVES,
        ("moves", "put"): Effect.OBSERVES,
        ("balance", "note_round"): Effect.OBSERVES,
        ("balance", "last_round_at"): Effect.READS,
        ("places", "put"): Effect.OBSERVES,
        ("places", "remove"): Effect.OBSERVES,
        ("places", "loads"): Effect.READS,
        ("overlays", "set_seen"): Effect.OBSERVES,
        ("restorations", "put"): Effect.OBSERVES,
        ("observations", "put"): Effect.OBSERVES,
        ("observations", "forget_all"): Effect.OBSERVES,
        ("consoles", "forget"): Effect.OBSERVES,
        ("versions", "adopt"): Effect.ADDS,
        ("rollouts", "looked_at"): Effect.READS,
        ("rollouts", "set_looked_at"): Effect.OBSERVES,
        ("rollout_members", "put"): Effect.OBSERVES,
        ("check_ins", "put"): Effect.OBSERVES,
        ("computer_events", "note"): Effect.OBSERVES,
        ("computer_orders", "put"): Effect.OBSERVES,
        ("blueprints", "add"): Effect.OBSERVES,
        ("release_orders", "put"): Effect.OBSERVES,
        ("canaries", "put"): Effect.OBSERVES,
    }
)
_WANTED: Final = ReplicaState.WANTED
_REPLICA_KEY: Final = ("server_id", "root")
_TOLD: Final = frozenset({Effect.ADDS, Effect.REPLACES, Effect.EDITS, Effect.PUTS, Effect.REMOVES})


def effect_of(noun: str, method: str) -> Effect | None:
    """Give what a method of a repository does; none if nobody has said."""
    known = _OF_NOUN.get((noun, method)) or _BY_NAME.get(method)
    if known is not None:
        return known
    beginnings = (effect for start, effect in _BY_BEGINNING.items() if method.startswith(start))
    return next(beginnings, None)


class AuditingTransactions:
    """Transactions in the name of somebody."""

    def __init__(self, transactions: Transactions, actor: Actor, clock: Clock) -> None:
        self._transactions = transactions
        self._actor = actor
        self._clock = clock

    def set_up(self) -> None:
        """Make the place for records; nothing that somebody changes."""
        self._transactions.set_up()

    def reading(self) -> AbstractContextManager[Records]:
        """Look; what a reading block writes is thrown away and needs no entry."""
        return self._transactions.reading()

    @contextmanager
    def writing(self) -> Iterator[Records]:
        """Change records, with an entry for each change.

        Somebody who claims the network card of another device changes nothing, and is noted all the
        same.
        """
        try:
            with self._noting() as records:
                yield records
        except MacTakenError as error:
            entry = Entry(
                self._clock.now(),
                self._actor,
                "device.mac-refused",
                error.owner,
                None,
                {"mac": str(error.mac)},
            )
            with self._transactions.writing() as records:
                records.audit.note(entry)
            raise

    @contextmanager
    def _noting(self) -> Iterator[Records]:
        with self._transactions.writing() as records:

            def note(what: str, before: object, after: object) -> None:
                entry = _entry(records, before, after)
                if entry is not None:
                    thing, was, became = entry
                    now = self._clock.now()
                    records.audit.note(Entry(now, self._actor, what, thing, was, became))

            # It has every repository that the records have, each with the same methods.
            yield cast("Records", _NotingRecords(records, note))


class _NotingRecords:
    """The records, each repository of which notes what is changed in it."""

    def __init__(self, records: Records, note: _Note) -> None:
        self._records = records
        self._note = note

    def __getattr__(self, noun: str) -> object:
        repository = getattr(self._records, noun)
        return _NotingRepository(
            repository, noun, self._note, partial(refuse_change, self._records)
        )


class _NotingRepository:
    """A repository whose changes are noted."""

    def __init__(self, repository: object, noun: str, note: _Note, refuse: _Refuse) -> None:
        self._repository = repository
        self._noun = noun
        self._note = note
        self._refuse = refuse

    def __getattr__(self, name: str) -> object:
        method: _Method = getattr(self._repository, name)
        effect = effect_of(self._noun, name)
        if effect in _TOLD:
            return partial(self._call, effect, name, method)
        return method

    def _call(
        self, effect: Effect, name: str, method: _Method, *given: object, **named: object
    ) -> object:
        if effect is Effect.PUTS and getattr(given[0], "state", None) not in {None, _WANTED}:
            return method(*given, **named)
        before = self._before(effect, given)
        if effect is not Effect.PUTS or before is None:
            self._refuse(self._noun, name)
        result = method(*given, **named)
        after = self._after(effect, given)
        if effect is not Effect.PUTS or before is None:
            self._note(f"{_singular(self._noun)}.{_word(effect, name)}", before, after)
        return result

    def _before(self, effect: Effect, given: tuple[object, ...]) -> object:
        match effect:
            case Effect.REPLACES:
                return given[0]
            case Effect.PUTS:
                return self._present(tuple(getattr(given[0], key) for key in _REPLICA_KEY))
            case Effect.EDITS | Effect.REMOVES:
                return self._present(given)
            case _:
                return None

    def _after(self, effect: Effect, given: tuple[object, ...]) -> object:
        match effect:
            case Effect.ADDS | Effect.PUTS:
                return given[0]
            case Effect.REPLACES:
                return given[1]
            case Effect.EDITS:
                return self._present(given)
            case _:
                return None

    def _present(self, given: tuple[object, ...]) -> object:
        """Give the thing that the first arguments name, as it is now; none if there is none."""
        if given and is_dataclass(given[0]):
            return given[0]
        with suppress(UnknownThingError):
            for look, arguments in (
                ("with_id", given[:1]),
                ("of_device", given[:1]),
                ("find", given),
                ("get", ()),
            ):
                method: _Method | None = getattr(self._repository, look, None)
                if method is not None:
                    return method(*arguments)
        return None


def _entry(
    records: Records, before: object, after: object
) -> tuple[str, dict[str, Fact] | None, dict[str, Fact] | None] | None:
    """Give the name of what was changed and its two states; none if nothing was."""
    thing = _label(records, before if after is None else after)
    if before is None or after is None:
        was = None if before is None else facts(before)
        return thing, was, None if after is None else facts(after)
    old, new = differences(before, after)
    return (thing, old, new) if old or new else None


def _label(records: Records, thing: object) -> str:
    if isinstance(thing, RoleGrant):
        names: dict[UUID, str] = {one.id: one.name for one in records.accounts.all()}
        names.update({one.id: one.name for one in records.groups.all()})
        return f"{thing.grant.role.value} of {names.get(thing.holder, thing.holder)}"
    if isinstance(thing, AccessToken):
        return f"{thing.name} of {records.accounts.with_id(thing.account_id).name}"
    if isinstance(thing, ImageAssignment):
        names = {one.id: one.name for one in records.users.all()}
        names.update({one.id: one.name for one in records.user_groups.all()})
        image = records.images.with_id(thing.image_id).name
        return f"{image} to {names.get(thing.holder, thing.holder)}"
    if isinstance(thing, KitAssignment):
        computer = records.computers.with_id(thing.computer_id).name
        return f"{records.library_items.with_id(thing.item_id).name} to {computer}"
    if isinstance(thing, ImagePolicy):
        return records.images.with_id(thing.image_id).name
    server_id, root = getattr(thing, "server_id", None), getattr(thing, "root", None)
    if server_id is None or root is None:
        return label(thing)
    with suppress(UnknownThingError):
        return f"{root.short} on {records.servers.with_id(server_id).name}"
    return str(root)


def _singular(noun: str) -> str:
    if noun.endswith("ies"):
        return f"{noun[:-3]}y"
    return noun.removesuffix("s")


def _word(effect: Effect, method: str) -> str:
    """Give what happened: the method's own word where that says more than the effect."""
    match effect:
        case Effect.ADDS if method in {"publish", "adopt"}:
            return method
        case Effect.ADDS | Effect.PUTS:
            return "create" if method == "set_up" else "add"
        case Effect.REMOVES:
            return "remove"
        case _:
            return "assign" if method == "assign" else "change"

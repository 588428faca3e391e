"""All that a farm remembers, held against what the audit log says became of it."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from corral.farm.application.ports.records import Records, Transactions
from corral.farm.domain.access.audit import AuditFilter, Entry, NotedEntry, differences, label

_EVER = datetime(2000, 1, 1, tzinfo=UTC)
_NEWEST = 100
"""More entries than any step makes."""


def _by(key: str, things: Iterable[Any]) -> dict[object, Any]:
    return {getattr(one, key): one for one in things}


_ALL: Mapping[str, Callable[[Records], object]] = {
    "farm": lambda r: r.farm.get(),
    "account": lambda r: _by("id", r.accounts.all()),
    "group": lambda r: _by("id", r.groups.all()),
    "role_grant": lambda r: _by("id", r.role_grants.all()),
    "access_token": lambda r: _by("id", r.access_tokens.all()),
    "site": lambda r: _by("id", r.sites.all()),
    "collection": lambda r: _by("id", r.collections.all()),
    "store": lambda r: _by("id", r.stores.all()),
    "server": lambda r: _by("id", r.servers.all()),
    "image": lambda r: _by("id", r.images.all()),
    "version": lambda r: _by("name", r.versions.all()),
    "replica": lambda r: {(one.server_id, one.root): one for one in r.replicas.all()},
    "device": lambda r: _by("id", r.devices.all()),
    "session": lambda r: Counter(map(repr, r.sessions.all())),
    "device_cache": lambda r: dict(r.device_caches.all()),
    "overlay": lambda r: _by("id", r.overlays.all()),
    "place": lambda r: _by("device_id", r.places.all()),
    "affinity": lambda r: dict(r.affinities.all()),
    "move": lambda r: _by("device_id", r.moves.of_time_since(_EVER)),
    "balance": lambda r: (r.balance.get(), r.balance.last_round_at()),
    "task": lambda r: _by("number", (*r.tasks.active(), *r.tasks.ended(_NEWEST))),
    "schedule": lambda r: _by("name", r.schedules.all()),
    "worker": lambda r: _by("name", r.workers.all()),
    "backup": lambda r: _by("id", r.backups.all()),
    "rules": lambda r: (r.backup_rules.get(), r.task_rules.get()),
    "user": lambda r: _by("id", r.users.all()),
    "user_group": lambda r: _by("id", r.user_groups.all()),
    "image_assignment": lambda r: _by("id", r.image_assignments.all()),
    "image_policy": lambda r: _by("image_id", r.image_policies.all()),
    "computer": lambda r: _by("id", r.computers.all()),
    "registration_code": lambda r: _by("id", r.registration_codes.all()),
    "check_in": lambda r: _by("computer_id", r.check_ins.all()),
    "computer_orders": lambda r: _by("computer_id", r.computer_orders.all()),
}
# Those of which every change is noted under their own name.
_TOLD = ("site", "collection", "store", "server", "device", "account", "group", "schedule")
_TOLD_TOO = ("version", "overlay", "user", "user_group", "computer")
_ONLY_COUNTED = ("role_grant", "image_assignment")
"""Their entries name the role or the image, and who holds it."""
_ADDED, _REMOVED = ("add", "publish"), ("remove",)
_NO_CHANGE = ("sign-in", "sign-in-refused", "mac-refused", "rebalance", "move")


@dataclass(frozen=True)
class Ledger:
    """A farm's records at one moment."""

    things: Mapping[str, Any]
    newest: tuple[NotedEntry, ...]
    """Of the audit log, the last one first."""

    @classmethod
    def of(cls, transactions: Transactions) -> "Ledger":
        with transactions.reading() as records:
            things = {noun: look(records) for noun, look in _ALL.items()}
            return cls(things, tuple(records.audit.newest(AuditFilter(), _NEWEST)))

    def must_lead_to(self, after: "Ledger") -> None:
        """Look that what was changed since then was noted once, and that nothing else was."""
        last = self.newest[0].number if self.newest else 0
        told = [one.entry for one in after.newest if one.number > last]
        for noun in (*_TOLD, *_TOLD_TOO):
            was, now = self.things[noun], after.things[noun]
            changed = {
                label(now[key])
                for key in was.keys() & now.keys()
                if any(differences(_plain(was[key]), _plain(now[key])))
            }
            assert _named(told, noun, _ADDED) == _labels(now, now.keys() - was.keys()), noun
            assert _named(told, noun, _REMOVED) == _labels(was, was.keys() - now.keys()), noun
            others = {entry.what.partition(".")[2] for entry in told}
            others -= {*_ADDED, *_REMOVED, *(_NO_CHANGE if noun != "version" else ())}
            noted = set(_named(told, noun, others))
            # What is new or gone may have been changed in the same step.
            passing = _labels(now, now.keys() - was.keys()) + _labels(was, was.keys() - now.keys())
            assert changed <= noted <= changed | passing.keys(), noun
        for noun in _ONLY_COUNTED:
            was, now = self.things[noun], after.things[noun]
            assert _named(told, noun, _ADDED).total() == len(now.keys() - was.keys()), noun
            assert _named(told, noun, _REMOVED).total() == len(was.keys() - now.keys()), noun


def _plain(thing: Any) -> Any:  # noqa: ANN401 - any of the above
    """Give it without what machines say of it."""
    observed = {name: None for name in ("seen", "last_run_at") if hasattr(thing, name)}
    return replace(thing, **observed) if observed else thing


def _named(told: Iterable[Entry], noun: str, verbs: Iterable[str]) -> Counter[str]:
    wanted = {f"{noun}.{verb}" for verb in verbs}
    return Counter(entry.thing for entry in told if entry.what in wanted)


def _labels(things: Mapping[object, Any], keys: Iterable[object]) -> Counter[str]:
    return Counter(label(things[key]) for key in keys)

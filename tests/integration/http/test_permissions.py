"""Every route of the API, called by everybody there can be, against the permission table."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from corral.farm.adapters.memory.records import MemoryTransactions
from corral.farm.application.add_collection import NewCollection
from corral.farm.application.add_site import NewSite
from corral.farm.application.grant_role import WantedRole
from corral.farm.application.import_into_library import LibraryRequest
from corral.farm.application.progress import Progress
from corral.farm.domain.access.access_token import scopes_of
from corral.farm.domain.access.account import AccountName, account_name
from corral.farm.domain.access.password import Password
from corral.farm.domain.access.permission import (
    EVERYWHERE,
    READ_ONLY,
    TABLE,
    Extent,
    Permission,
    Place,
    Rights,
    Role,
)
from corral.farm.domain.access.token import Token
from corral.farm.domain.computer.code import RegistrationCodeId
from corral.farm.domain.computer.computer import Computer, ComputerId, computer_name
from corral.farm.domain.computer.state import ComputerState
from corral.farm.domain.computer.user import user_group_name, user_name
from corral.farm.domain.estate.collection import FIRST_COLLECTION, CollectionName, collection_name
from corral.farm.domain.estate.site import FIRST_SITE, SiteName, site_name
from corral.farm.domain.library.item import ItemKind
from corral.farm.domain.library.kit import publisher_name, written_public_key
from corral.farm.entrypoints.http.app import create_app
from corral.farm.entrypoints.http.permitted import OpenTo
from tests.integration.http.conftest import READER, SmallFarm, bearer, served
from tests.kits import Signer, kit

PASSWORD = Password("correct horse battery")
HOME = "127.0.0.1"
HERE = Place(FIRST_SITE.id, FIRST_COLLECTION.id)

# What stands in a path after its noun: things of the place that a farm begins with.
NAMES = {
    "servers": "s1",
    "devices": "pc1",
    "images": "debian",
    "versions": "1",
    "sites": "default",
    "collections": "default",
    "stores": "default",
    "users": "rboston",
    "user-groups": "sales",
    "computers": "laptop",
    "library": "engine-5.0",
    "publishers": "acme",
    "computer-codes": "c0441a10-0000-4000-8000-0000000000c0",
}
NOTHING = "nothing-is-called-so"

# Where a thing comes to lie is said in the body of the request. A route that puts something into a
# place must be here, or nobody would see that it forgot to ask whether the caller has that place.
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/v1/servers"): {
        "name": "s2",
        "folder": "/stores/s2",
        "listen": ["127.0.0.1:10812"],
        "chunks": "127.0.0.1:10902",
        "site": "default",
    },
    ("POST", "/v1/devices"): {"name": "pc9", "mac": "52:54:00:00:00:09", "collection": "default"},
    ("POST", "/v1/collections"): {"name": "more", "site": "default"},
    ("PUT", "/v1/devices/{name}/image"): {"image": "debian"},
    ("PUT", "/v1/devices/{name}/write-cache"): {"kind": "device-ram"},
    ("POST", "/v1/backups"): {},
    ("PATCH", "/v1/backups/rules"): {"folder": "/backups", "recipients": ["age1somebody"]},
    ("PUT", "/v1/images/{name}/affinity"): {"affinity": "fixed"},
    ("PUT", "/v1/collections/{name}/affinity"): {"affinity": "fixed"},
    ("POST", "/v1/computer-codes"): {"collection": "default"},
    ("POST", "/v1/users"): {"name": "bsmith"},
    ("POST", "/v1/user-groups"): {"name": "more"},
    ("POST", "/v1/images/{name}/assign"): {"users": ["rboston"]},
    ("PATCH", "/v1/computers/{name}"): {"collection": "default"},
    ("POST", "/v1/computers/{name}/retry"): {"image": "debian"},
    ("POST", "/v1/devices/series"): {
        "names": "lab-[01-02]",
        "first_mac": "52:54:00:00:02:01",
        "collection": "default",
    },
    ("POST", "/v1/library/{name}/assign"): {"computers": ["laptop"]},
    ("POST", "/v1/library/{name}/unassign"): {"computers": ["laptop"]},
    ("POST", "/v1/library/{name}/retry"): {"computer": "laptop"},
    ("POST", "/v1/rollouts"): {"name": "two", "version": "debian/2"},
    ("POST", "/v1/rollouts/plan"): {"name": "two", "version": "debian/2"},
    ("POST", "/v1/library"): {"path": "/import/kit"},
    ("PATCH", "/v1/library/folder"): {"folder": "/import"},
    ("POST", "/v1/publishers"): {
        "name": "zoo",
        "public_key": written_public_key(Signer(2).public_key),
    },
    ("POST", "/v1/devices/import"): {"table": "name,mac\npc9,52:54:00:00:00:09\n"},
}
# What may come to lie anywhere needs a role over the farm.
ANYWHERE = {("POST", "/v1/devices/import")}


def routes() -> dict[tuple[str, str], Permission | OpenTo]:
    app = create_app(SmallFarm().application, READER.digest())
    declared: dict[tuple[str, str], Permission | OpenTo] = app.state.declared
    return declared


ROUTES = routes()
GUARDED = sorted(where for where, demanded in ROUTES.items() if isinstance(demanded, Permission))
OF_MACHINES = sorted(
    where for where, demanded in ROUTES.items() if demanded in {OpenTo.DEVICES, OpenTo.SERVERS}
)


@dataclass(frozen=True)
class Somebody:
    """A caller, and what the table lets them do; no rights for who is not let in at all."""

    token: Token | None
    rights: Rights | None


class Town:
    """A farm in which every kind of caller lives."""

    def __init__(self) -> None:
        self.farm = SmallFarm()
        self.application = app = self.farm.application
        there = app.add_site(NewSite(site_name("elsewhere"))).name
        theirs = app.add_collection(NewCollection(collection_name("theirs"), site=there)).name
        here, ours = site_name("default"), collection_name("default")
        admin = self._account("boss", Role.FARM_ADMINISTRATOR, here, ours)

        expired = app.issue_token(admin, "expired", scopes_of(["*"]), self._in(minutes=5)).secret
        self.farm.ports.clock.advance(timedelta(minutes=10))
        revoked = app.issue_token(admin, "revoked", scopes_of(["*"])).secret
        app.revoke_token("revoked", admin)
        gone = self._session(self._account("gone", Role.FARM_ADMINISTRATOR, here, ours))
        app.change_account(account_name("gone"), disabled=True)

        self._add_computer()
        app.trust_publisher(publisher_name(NAMES["publishers"]), Signer().public_key)
        self.farm.ports.files[Path("/import/kit")] = kit()
        app.import_into_library(LibraryRequest(Path("/import/kit"), ItemKind.KIT), Progress())

        self.people = {
            "anonymous": Somebody(None, None),
            "stranger": Somebody(Token(b"S" * 32), None),
            "expired": Somebody(expired, None),
            "revoked": Somebody(revoked, None),
            "disabled": Somebody(gone, None),
            "device": Somebody(self.farm.device_key, None),
            "server": Somebody(self.farm.server_token, None),
            "reader-key": Somebody(READER, READ_ONLY),
            "without-role": self._known(self._session(self._account("nobody"))),
        }
        for role in Role:
            self._settle(role.value, role, here, ours)
            if role.extent is not Extent.FARM:
                self._settle(f"foreign-{role.value}", role, there, theirs)
        for name, scopes in (("wrong-scope", ["audit.read"]), ("every-scope", ["*"])):
            token = app.issue_token(admin, name, scopes_of(scopes)).secret
            self.people[name] = self._known(token)

    def _add_computer(self) -> None:
        """Add one that waits, its user, and a code: each where a farm begins."""
        self.application.add_user(user_name("rboston"))
        self.application.add_user_group(user_group_name("sales"))
        code = self.application.issue_code().code
        with self.farm.ports.transactions.writing() as records:
            records.computers.add(
                Computer(
                    ComputerId(UUID(int=7)),
                    computer_name(NAMES["computers"]),
                    bytes(32),
                    ComputerState.WAITING,
                    self.farm.ports.clock.now(),
                )
            )
            records.registration_codes.remove(code.id)
            known = RegistrationCodeId(UUID(NAMES["computer-codes"]))
            records.registration_codes.add(replace(code, id=known))

    def _settle(self, name: str, role: Role, site: SiteName, collection: CollectionName) -> None:
        self.people[name] = self._known(self._session(self._account(name, role, site, collection)))

    def _account(
        self,
        name: str,
        role: Role | None = None,
        site: SiteName | None = None,
        collection: CollectionName | None = None,
    ) -> AccountName:
        account = self.application.add_account(account_name(name), PASSWORD).account.name
        if role is not None:
            self.application.grant_role(
                WantedRole(
                    role,
                    account,
                    site=site if role.extent is Extent.SITE else None,
                    collection=collection if role.extent is Extent.COLLECTION else None,
                )
            )
        return account

    def _session(self, account: AccountName) -> Token:
        return self.application.sign_in(account, PASSWORD, HOME).secret

    def _known(self, token: Token) -> Somebody:
        return Somebody(token, self.application.recognise_caller(token, HOME).rights)

    def _in(self, **delta: int) -> Any:  # noqa: ANN401
        return self.farm.ports.clock.now() + timedelta(**delta)


@pytest.fixture(scope="module")
def town() -> Town:
    return Town()


@pytest.fixture(scope="module")
def api(town: Town) -> Iterator[httpx.Client]:
    with served(town.farm) as client:
        yield client


def filled(path: str) -> str:
    """Put names of things that there are into a path."""

    def name(found: re.Match[str]) -> str:
        noun = path[: found.start()].rstrip("/").rpartition("/")[2]
        return NAMES.get(noun, NOTHING)

    return re.sub(r"\{[^}]+\}", name, path)


def place_of(method: str, path: str) -> Place | None:
    """Give where the call would take effect; none for a list, of which each sees a part."""
    if (method, path) in ANYWHERE:
        return EVERYWHERE
    if "{" in path or (method, path) in BODIES:
        return HERE
    return None


def asked(api: httpx.Client, town: Town, method: str, path: str, who: Somebody) -> httpx.Response:
    headers = {"If-Match": "*"} | ({} if who.token is None else bearer(who.token))
    transactions = town.farm.ports.transactions
    assert isinstance(transactions, MemoryTransactions)
    before = transactions._state  # noqa: SLF001 - so that nobody finds what another has removed
    try:
        return api.request(
            method, filled(path), headers=headers, json=BODIES.get((method, path), {})
        )
    finally:
        transactions._state = before  # noqa: SLF001


@pytest.mark.parametrize(("method", "path"), GUARDED)
def test_a_route_lets_in_exactly_whom_the_table_lets_in(
    town: Town, api: httpx.Client, method: str, path: str
) -> None:
    demanded = ROUTES[method, path]
    assert isinstance(demanded, Permission)
    wrong: dict[str, tuple[int, str]] = {}
    for name, who in town.people.items():
        answer = asked(api, town, method, path, who)
        if who.rights is None:
            is_right = answer.status_code == HTTPStatus.UNAUTHORIZED
        elif who.rights.allow(demanded, place_of(method, path)):
            is_right = answer.status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}
        else:
            is_right = answer.status_code == HTTPStatus.FORBIDDEN
        if not is_right:
            wrong[name] = answer.status_code, answer.text[:200]
    assert wrong == {}, f"{method} {path} demands {demanded.value}"


def test_what_puts_something_into_a_place_is_tried_with_a_place() -> None:
    placed = {one for one, row in TABLE.items() if row.is_placed and one.value.endswith(".add")}
    adding = {where for where in GUARDED if ROUTES[where] in placed and "{" not in where[1]}
    assert adding <= set(BODIES), "say in BODIES where the new thing of these routes comes to lie"


@pytest.mark.parametrize(("method", "path"), OF_MACHINES)
def test_nobody_signs_in_where_devices_and_servers_are_at_home(
    town: Town, api: httpx.Client, method: str, path: str
) -> None:
    for name, who in town.people.items():
        if name not in {"device", "server"}:
            assert asked(api, town, method, path, who).status_code in {401, 422}, name
    wrong = "server" if ROUTES[method, path] is OpenTo.DEVICES else "device"
    assert asked(api, town, method, path, town.people[wrong]).status_code in {401, 422}


def test_everybody_of_the_table_lives_in_town(town: Town) -> None:
    assert {role.value for role in Role} <= set(town.people)
    assert any(town.people["every-scope"].rights.allow(one, EVERYWHERE) for one in TABLE)  # type: ignore[union-attr] # they have


def test_only_a_person_has_a_self(town: Town, api: httpx.Client) -> None:
    answer = api.get("/v1/self", headers=bearer(town.people["every-scope"].token))  # type: ignore[arg-type] # they have one
    assert (answer.status_code, answer.json()["code"]) == (403, "person-needed")

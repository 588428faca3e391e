"""Computers, as people administer them; what engines say and hear is in ``engines``."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.change_computer import ComputerEdit
from corral.farm.application.edits import KEEP
from corral.farm.application.issue_code import CODES, CodeView
from corral.farm.application.list_computers import COMPUTERS, ComputerView
from corral.farm.application.list_machines import MACHINES
from corral.farm.application.listing import page_of
from corral.farm.domain.access.permission import EVERYWHERE, Permission, Place
from corral.farm.domain.computer.computer import computer_name
from corral.farm.domain.computer.errors import RegistrationCodeUnknownError
from corral.farm.domain.computer.user import user_name
from corral.farm.domain.estate.collection import FIRST_COLLECTION, collection_name
from corral.farm.domain.estate.replication import Bandwidth, Window, checked_rate
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http import engine_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.users import machine_list
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, or_none, tag
from corral.wire import computers as wire
from corral.wire import users as wire_users
from corral.wire.estate import LineWindow

Reader = Annotated[Caller, permitted(Permission.COMPUTER_READ)]
Adder = Annotated[Caller, permitted(Permission.COMPUTER_ADD)]
Killer = Annotated[Caller, permitted(Permission.COMPUTER_KILL)]


def routes() -> APIRouter:
    """Give the routes of computers."""
    router = APIRouter(prefix="/v1/computers", tags=["computers"])
    _reading(router)
    _admitting(router)
    _changing(router)
    _killing(router)
    return router


def code_routes() -> APIRouter:
    """Give the routes of the codes that register computers."""
    router = APIRouter(prefix="/v1/computer-codes", tags=["computers"])

    @router.get("", operation_id="list_computer_codes")
    def codes(wish: Wished, caller: Reader) -> wire.CodeList:
        """List the one-time codes, the oldest first, without their secrets.

        Keys are id, user, collection, left, works, created, expires.
        """
        seen = [
            view
            for view in caller.application.list_codes()
            if caller.may(Permission.COMPUTER_READ, _place_of_code(view))
        ]
        page = page_of(seen, CODES, wish)
        return wire.CodeList(codes=tuple(map(_code, page.items)), total=page.total, next=page.next)

    @router.post("", operation_id="issue_computer_code", status_code=HTTPStatus.CREATED)
    def issue(message: wire.NewCode, caller: Adder) -> wire.IssuedCode:
        """Make a code that registers computers without anybody's approval."""
        _demand_collection(caller, message.collection)
        given = caller.application.issue_code(
            or_none(user_name)(message.user),
            or_none(collection_name)(message.collection),
            timedelta(seconds=min(message.seconds, _LONGEST_SECONDS)),
            message.uses,
        )
        return wire.IssuedCode(
            id=given.code.id,
            code=given.secret.reveal(),
            expires_at=int(given.code.expires_at.timestamp()),
        )

    @router.delete(
        "/{code}", operation_id="revoke_computer_code", status_code=HTTPStatus.NO_CONTENT
    )
    def revoke(code: str, caller: Adder) -> None:
        """Take a code back, by its id."""
        views = caller.application.list_codes()
        found = next((view for view in views if str(view.code.id) == code), None)
        caller.demand(EVERYWHERE if found is None else _place_of_code(found))
        if found is None:
            raise RegistrationCodeUnknownError(code)
        caller.application.revoke_code(code)

    return router


_LONGEST_SECONDS = 1 << 31
"""More than any code lives: the rule says the rest."""


def _reading(router: APIRouter) -> None:
    @router.get("", operation_id="list_computers")
    def computers(wish: Wished, caller: Reader) -> wire.ComputerList:
        """List the computers.

        Keys are name, state, user, collection, site, engine, paused, description, last-check-in,
        free, asked, registered.
        """
        seen = [
            view
            for view in caller.application.list_computers()
            if caller.may(Permission.COMPUTER_READ, _place(view))
        ]
        page = page_of(seen, COMPUTERS, wish)
        return wire.ComputerList(
            computers=tuple(map(_item, page.items)), total=page.total, next=page.next
        )

    @router.get("/{name}", operation_id="show_computer")
    def show(name: str, response: Response, caller: Reader) -> wire.ComputerItem:
        """Show a computer."""
        _demand(caller, name)
        return _shown(caller, name, response)

    @router.get("/{name}/images", operation_id="list_computer_images")
    def images(name: str, wish: Wished, caller: Reader) -> wire_users.MachineList:
        """List what should run on a computer, and what does.

        Keys are image, user, computer, staged, mode, running, assigned, why, state.
        """
        _demand(caller, name)
        views = caller.application.list_computer_images(computer_name(name))
        page = page_of(views, MACHINES, wish)
        return machine_list(page.items, page.total, page.next)

    @router.get("/{name}/events", operation_id="list_computer_events")
    def events(name: str, caller: Reader) -> wire.ComputerEventList:
        """Tell what happened on a computer, the newest first."""
        _demand(caller, name)
        found = caller.application.list_computer_events(computer_name(name))
        return wire.ComputerEventList(
            events=tuple(
                wire.ComputerEventItem(
                    number=one.number,
                    at=max(0, int(one.at.timestamp())),
                    severity=one.severity.value,
                    code=one.code,
                    text=one.text,
                    image=one.image,
                )
                for one in found
            )
        )


def _admitting(router: APIRouter) -> None:
    @router.post("/{name}/approve", operation_id="approve_computer")
    def approve(
        name: str,
        message: wire.Approval,
        expected: Expected,
        response: Response,
        caller: Adder,
    ) -> wire.ComputerItem:
        """Register a computer that waits."""
        _demand(caller, name)
        if message.collection is not None:
            _demand_collection(caller, message.collection)
        caller.application.approve_computer(
            computer_name(name),
            tuple(map(user_name, message.users)),
            or_none(collection_name)(message.collection),
            expected,
        )
        return _shown(caller, name, response)

    @router.post(
        "/{name}/refuse", operation_id="refuse_computer", status_code=HTTPStatus.NO_CONTENT
    )
    def refuse(name: str, expected: Expected, caller: Adder) -> None:
        """Forget a computer that waits."""
        _demand(caller, name)
        caller.application.refuse_computer(computer_name(name), expected)


def _changing(router: APIRouter) -> None:
    @router.patch("/{name}", operation_id="change_computer")
    def change(
        name: str,
        message: wire.ComputerEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.COMPUTER_CHANGE)],
    ) -> wire.ComputerItem:
        """Change a computer; what is not named stays."""
        _demand(caller, name)
        named = message.model_fields_set
        if "collection" in named:
            _demand_collection(caller, message.collection)
        bandwidth = KEEP if named.isdisjoint({"rate", "windows"}) else _bandwidth(message)
        edit = ComputerEdit(
            collection=edit_of(message, "collection", collection_name),
            description=edit_of(message, "description", str),
            is_paused=edit_of(message, "paused", bool),
            bandwidth=bandwidth,
            add_users=tuple(map(user_name, message.add_users)),
            drop_users=tuple(map(user_name, message.drop_users)),
        )
        caller.application.change_computer(computer_name(name), edit, expected)
        return _shown(caller, name, response)

    @router.post("/{name}/retry", operation_id="retry_machine")
    def retry(
        name: str,
        message: wire.Retry,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.COMPUTER_RETRY)],
    ) -> wire.ComputerItem:
        """Have a computer try again what failed or went back there."""
        _demand(caller, name)
        caller.application.retry_machine(
            computer_name(name), image_name(message.image), map(user_name, message.users)
        )
        return _shown(caller, name, response)

    @router.delete("/{name}", operation_id="delete_computer", status_code=HTTPStatus.NO_CONTENT)
    def delete(
        name: str,
        expected: Expected,
        caller: Annotated[Caller, permitted(Permission.COMPUTER_DELETE)],
    ) -> None:
        """Forget a computer; nothing happens on it."""
        _demand(caller, name)
        caller.application.delete_computer(computer_name(name), expected)


def _killing(router: APIRouter) -> None:
    @router.post("/{name}/kill", operation_id="kill_computer")
    def kill(
        name: str, expected: Expected, response: Response, caller: Killer
    ) -> wire.ComputerItem:
        """Have a computer erase itself when it is next heard of."""
        _demand(caller, name)
        caller.application.kill_computer(computer_name(name), expected)
        return _shown(caller, name, response)

    @router.post("/{name}/kill-undo", operation_id="undo_kill")
    def undo(
        name: str, expected: Expected, response: Response, caller: Killer
    ) -> wire.ComputerItem:
        """Take that back, until the computer has been told."""
        _demand(caller, name)
        caller.application.undo_kill(computer_name(name), expected)
        return _shown(caller, name, response)

    @router.post("/{name}/recycle", operation_id="recycle_computer")
    def recycle(
        name: str, expected: Expected, response: Response, caller: Killer
    ) -> wire.ComputerItem:
        """Let a computer that has erased itself register anew."""
        _demand(caller, name)
        caller.application.recycle_computer(computer_name(name), expected)
        return _shown(caller, name, response)


def _bandwidth(message: wire.ComputerEdit) -> Bandwidth:
    windows = tuple(Window.parse(f"{one.between}={one.rate}") for one in message.windows)
    return Bandwidth(or_none(checked_rate)(message.rate), windows)


def _demand(caller: Caller, name: str) -> None:
    """Refuse unless the caller may do it where the computer is."""
    caller.demand(_place(caller.application.show_computer(computer_name(name))))


def _demand_collection(caller: Caller, name: str | None) -> None:
    """Demand the same for the collection that a computer goes to."""
    wanted = None if name is None else collection_name(name)
    for view in caller.application.list_collections():
        if view.collection.name == wanted or (
            wanted is None and view.collection.id == FIRST_COLLECTION.id
        ):
            caller.demand(Place(view.site.id, view.collection.id))


def _place(view: ComputerView) -> Place:
    return Place(view.site.id, view.collection.id)


def _place_of_code(view: CodeView) -> Place:
    if view.collection is None:
        return EVERYWHERE
    return Place(view.collection.site_id, view.collection.id)


def _shown(caller: Caller, name: str, response: Response) -> wire.ComputerItem:
    view = caller.application.show_computer(computer_name(name))
    tag(response, view.computer.revision)
    return _item(view)


def _item(view: ComputerView) -> wire.ComputerItem:
    of, said, given = view.computer, view.said, view.given
    seconds = engine_messages.seconds
    return wire.ComputerItem(
        id=of.id,
        name=of.name,
        state=of.state.value,
        collection=view.collection.name,
        site=view.site.name,
        users=view.users,
        asked_for=of.asked_for,
        description=of.description,
        paused=of.is_paused,
        rate=of.bandwidth.rate,
        windows=tuple(LineWindow(between=str(one), rate=one.rate) for one in of.bandwidth.windows),
        asked_at=int(of.asked_at.timestamp()),
        registered_at=seconds(of.registered_at),
        kill_told_at=seconds(of.kill_told_at),
        killed_at=seconds(of.killed_at),
        last_check_in_at=None if said is None else seconds(said.at),
        address=None if said is None else said.address,
        clock_offset_ms=None if said is None else said.clock_offset_ms,
        engine=None if said is None else engine_messages.engine(said.engine),
        kit=None if said is None else engine_messages.kit(said.kit),
        generation=None if given is None else given.generation,
        heard_generation=None if said is None else said.generation,
        revision=of.revision,
    )


def _code(view: CodeView) -> wire.CodeItem:
    return wire.CodeItem(
        id=view.code.id,
        user=view.user,
        collection=None if view.collection is None else view.collection.name,
        uses_left=view.code.uses_left,
        works=view.works,
        created_at=int(view.code.created_at.timestamp()),
        expires_at=int(view.code.expires_at.timestamp()),
    )

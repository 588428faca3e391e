"""Users, user groups, and which images they have."""

from dataclasses import replace
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Response

from corral.farm.application.edit_users import UserEdit
from corral.farm.application.list_machines import IMAGE_USERS, MACHINES, MachineView
from corral.farm.application.list_users import USER_GROUPS, USERS
from corral.farm.application.listing import page_of
from corral.farm.application.set_machine_policy import PolicyEdit
from corral.farm.domain.access.permission import Permission, Place
from corral.farm.domain.computer.user import user_group_name, user_name
from corral.farm.domain.image.image import image_name
from corral.farm.entrypoints.http import user_messages
from corral.farm.entrypoints.http.permitted import Caller, permitted
from corral.farm.entrypoints.http.wishes import Expected, Wished, edit_of, tag
from corral.wire import users as wire

Reader = Annotated[Caller, permitted(Permission.USER_READ)]
Adder = Annotated[Caller, permitted(Permission.USER_ADD)]
Changer = Annotated[Caller, permitted(Permission.USER_CHANGE)]
Remover = Annotated[Caller, permitted(Permission.USER_REMOVE)]
Assigner = Annotated[Caller, permitted(Permission.IMAGE_ASSIGN)]


def user_routes() -> APIRouter:
    """Give the routes of users."""
    router = APIRouter(prefix="/v1/users", tags=["users"])

    @router.get("", operation_id="list_users")
    def users(wish: Wished, caller: Reader) -> wire.UserList:
        """List the users.

        Keys are name, full-name, description, group, computer, image, created.
        """
        mine = computers_of(caller)
        views = (
            replace(view, computers=tuple(one for one in view.computers if one in mine))
            for view in caller.application.list_users()
        )
        page = page_of(views, USERS, wish)
        items = tuple(user_messages.user(view, mine.__contains__) for view in page.items)
        return wire.UserList(users=items, total=page.total, next=page.next)

    @router.post("", operation_id="add_user", status_code=HTTPStatus.CREATED)
    def add(message: wire.NewUser, response: Response, caller: Adder) -> wire.UserItem:
        """Add a user, who has no image yet."""
        made = caller.application.add_user(
            user_name(message.name), message.full_name, message.description
        )
        return _user(caller, made.name, response)

    @router.get("/{name}", operation_id="show_user")
    def show(name: str, response: Response, caller: Reader) -> wire.UserItem:
        """Show a user."""
        return _user(caller, name, response)

    @router.patch("/{name}", operation_id="change_user")
    def change(
        name: str,
        message: wire.UserEdit,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.UserItem:
        """Change how a user is called; what is not named stays."""
        edit = UserEdit(
            full_name=edit_of(message, "full_name", str),
            description=edit_of(message, "description", str),
        )
        caller.application.change_user(user_name(name), edit, expected)
        return _user(caller, name, response)

    @router.delete("/{name}", operation_id="remove_user", status_code=HTTPStatus.NO_CONTENT)
    def remove(name: str, expected: Expected, caller: Remover) -> None:
        """Remove a user who uses no computer."""
        caller.application.remove_user(user_name(name), expected)

    @router.get("/{name}/images", operation_id="list_user_images")
    def images(name: str, wish: Wished, caller: Reader) -> wire.MachineList:
        """List what a user has, and what runs of it on each of their computers.

        Keys are image, user, computer, staged, mode, running, assigned, why, state.
        """
        views = caller.application.list_user_images(user_name(name))
        page = page_of((one for one in views if may_see(caller, one)), MACHINES, wish)
        return machine_list(page.items, page.total, page.next)

    return router


def user_group_routes() -> APIRouter:
    """Give the routes of user groups."""
    router = APIRouter(prefix="/v1/user-groups", tags=["users"])

    @router.get("", operation_id="list_user_groups")
    def groups(wish: Wished, caller: Reader) -> wire.UserGroupList:
        """List the user groups; keys are name, description, member, members, image."""
        page = page_of(caller.application.list_user_groups(), USER_GROUPS, wish)
        items = tuple(map(user_messages.user_group, page.items))
        return wire.UserGroupList(groups=items, total=page.total, next=page.next)

    @router.post("", operation_id="add_user_group", status_code=HTTPStatus.CREATED)
    def add(message: wire.NewUserGroup, response: Response, caller: Adder) -> wire.UserGroupItem:
        """Add a user group, which has no image yet."""
        made = caller.application.add_user_group(
            user_group_name(message.name), map(user_name, message.members), message.description
        )
        return _group(caller, made.name, response)

    @router.get("/{name}", operation_id="show_user_group")
    def show(name: str, response: Response, caller: Reader) -> wire.UserGroupItem:
        """Show a user group."""
        return _group(caller, name, response)

    @router.patch("/{name}", operation_id="change_user_group")
    def change(
        name: str,
        message: wire.UserGroupEdit,
        expected: Expected,
        response: Response,
        caller: Changer,
    ) -> wire.UserGroupItem:
        """Change what a user group is for, and who is in it."""
        caller.application.change_user_group(
            user_group_name(name),
            add=map(user_name, message.add),
            remove=map(user_name, message.remove),
            description=message.description,
            revision=expected,
        )
        return _group(caller, name, response)

    @router.delete("/{name}", operation_id="remove_user_group", status_code=HTTPStatus.NO_CONTENT)
    def remove(name: str, expected: Expected, caller: Remover) -> None:
        """Remove a user group; its members lose what they have by it alone."""
        caller.application.remove_user_group(user_group_name(name), expected)

    return router


def assignment_routes() -> APIRouter:
    """Give the routes by which images come to users."""
    router = APIRouter(prefix="/v1/images", tags=["users"])

    @router.get("/{name}/users", operation_id="list_image_users")
    def users(name: str, wish: Wished, caller: Reader) -> wire.ImageUserList:
        """List every user beside an image: what is assigned, what runs, and why they differ.

        Keys are name, full-name, assign, staged, running, assigned, why, computer.
        """
        of = image_name(name)
        views = (
            replace(view, machines=tuple(one for one in view.machines if may_see(caller, one)))
            for view in caller.application.list_image_users(of)
        )
        page = page_of(views, IMAGE_USERS, wish)
        items = tuple(map(user_messages.image_user, page.items))
        return wire.ImageUserList(image=of, users=items, total=page.total, next=page.next)

    @router.post("/{name}/assign", operation_id="assign_image", status_code=HTTPStatus.NO_CONTENT)
    def assign(name: str, message: wire.NewAssignees, caller: Assigner) -> None:
        """Assign an image to users and user groups, or change the mark of those that have it."""
        caller.application.assign_image(
            image_name(name),
            tuple(map(user_name, message.users)),
            tuple(map(user_group_name, message.groups)),
            is_staged=message.staged,
        )

    @router.post(
        "/{name}/unassign", operation_id="unassign_image", status_code=HTTPStatus.NO_CONTENT
    )
    def unassign(name: str, message: wire.Assignees, caller: Assigner) -> None:
        """Take an image away from users and user groups."""
        caller.application.unassign_image(
            image_name(name),
            tuple(map(user_name, message.users)),
            tuple(map(user_group_name, message.groups)),
        )

    @router.get("/{name}/machine", operation_id="show_machine_policy")
    def policy(
        name: str,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.IMAGE_READ)],
    ) -> wire.MachinePolicyItem:
        """Show how machines of an image are run on computers."""
        return _policy(caller, name, response)

    @router.patch("/{name}/machine", operation_id="set_machine_policy")
    def set_policy(
        name: str,
        message: wire.MachinePolicyEdit,
        expected: Expected,
        response: Response,
        caller: Annotated[Caller, permitted(Permission.IMAGE_CHANGE)],
    ) -> wire.MachinePolicyItem:
        """Say how machines of an image are run; what is not named stays."""
        edit = PolicyEdit(
            memory_mib=edit_of(message, "memory_mib", int),
            processors=edit_of(message, "processors", int),
            user_disk_bytes=edit_of(message, "user_disk_bytes", int),
            prove_within_seconds=edit_of(message, "prove_within_seconds", int),
            soak_seconds=edit_of(message, "soak_seconds", int),
            postpone_seconds=edit_of(message, "postpone_seconds", int),
            starts_itself=edit_of(message, "starts_itself", bool),
            is_disabled=edit_of(message, "disabled", bool),
        )
        caller.application.set_machine_policy(image_name(name), edit, expected)
        return _policy(caller, name, response)

    return router


def computers_of(caller: Caller) -> frozenset[str]:
    """Give the names of the computers that the caller may see."""
    return frozenset(
        view.computer.name
        for view in caller.application.list_computers()
        if caller.may(Permission.COMPUTER_READ, Place(view.site.id, view.collection.id))
    )


def may_see(caller: Caller, view: MachineView) -> bool:
    """Whether the caller may know what is on the computer; of no computer, everybody may."""
    if view.computer is None:
        return True
    place = Place(view.site_id, view.computer.collection_id)
    return caller.may(Permission.COMPUTER_READ, place)


def machine_list(
    views: tuple[MachineView, ...], total: int, following: str | None
) -> wire.MachineList:
    """Give a page of machines as it is sent."""
    items = tuple(map(user_messages.machine, views))
    return wire.MachineList(machines=items, total=total, next=following)


def _user(caller: Caller, name: str, response: Response) -> wire.UserItem:
    view = caller.application.show_user(user_name(name))
    tag(response, view.user.revision)
    return user_messages.user(view, computers_of(caller).__contains__)


def _group(caller: Caller, name: str, response: Response) -> wire.UserGroupItem:
    view = caller.application.show_user_group(user_group_name(name))
    tag(response, view.group.revision)
    return user_messages.user_group(view)


def _policy(caller: Caller, name: str, response: Response) -> wire.MachinePolicyItem:
    of = image_name(name)
    found = caller.application.show_machine_policy(of)
    tag(response, found.revision)
    return user_messages.policy(of, found)

"""Users, user groups, and what runs for them, as they are sent."""

from collections.abc import Callable

from corral.farm.application.list_machines import ImageUserView, MachineView, running_text
from corral.farm.application.list_users import UserGroupView, UserView
from corral.farm.domain.computer.policy import ImagePolicy
from corral.farm.domain.computer.why import Difference
from corral.farm.domain.image.image import ImageName
from corral.wire import users as wire


def user(view: UserView, computers: Callable[[str], bool]) -> wire.UserItem:
    """Show a user with those of their computers that the caller may see."""
    of = view.user
    return wire.UserItem(
        name=of.name,
        full_name=of.full_name,
        description=of.description,
        created_at=int(of.created_at.timestamp()),
        groups=view.groups,
        computers=tuple(name for name in view.computers if computers(name)),
        images=view.images,
        revision=of.revision,
    )


def user_group(view: UserGroupView) -> wire.UserGroupItem:
    """Show a user group."""
    return wire.UserGroupItem(
        name=view.group.name,
        description=view.group.description,
        members=view.members,
        images=view.images,
        revision=view.group.revision,
    )


def image_user(view: ImageUserView) -> wire.ImageUserItem:
    """Show a user beside an image."""
    granted = view.granted
    return wire.ImageUserItem(
        name=view.user.name,
        full_name=view.user.full_name,
        assign=granted is not None,
        staged=granted is not None and granted.is_staged,
        by_groups=() if granted is None else tuple(group.name for group, _ in granted.by_groups),
        running_versions=view.running,
        assigned_versions=view.assigned,
        machines=tuple(map(machine, view.machines)),
    )


def machine(view: MachineView) -> wire.MachineItem:
    """Show what a user has of an image on a computer."""
    granted, seen = view.granted, view.seen
    return wire.MachineItem(
        image=view.image.name,
        user=view.user.name,
        full_name=view.user.full_name,
        computer=None if view.computer is None else view.computer.name,
        mode=view.image.mode.value,
        assigned=granted is not None,
        staged=granted is not None and granted.is_staged,
        by_groups=() if granted is None else tuple(group.name for group, _ in granted.by_groups),
        running_version=running_text(view),
        running_root=None if view.running_root is None else view.running_root.hex,
        assigned_version=None if view.assigned is None else str(view.assigned.number),
        ordered_version=None if view.ordered is None else str(view.ordered.number),
        state=None if seen is None else seen.state.value,
        is_running=seen is not None and seen.is_running,
        difference=None if view.difference is None else difference(view.difference),
    )


def difference(of: Difference) -> wire.Difference:
    """Show why what runs is not what is assigned."""
    return wire.Difference(
        why=of.why.value,
        since=None if of.since is None else int(of.since.timestamp()),
        until=None if of.until is None else int(of.until.timestamp()),
        done_bytes=of.done_bytes,
        total_bytes=of.total_bytes,
        percent=of.percent,
        rate=of.rate,
        code=of.code,
        text=of.text,
    )


def policy(image: ImageName, of: ImagePolicy) -> wire.MachinePolicyItem:
    """Show how machines of an image are run."""
    said = of.policy
    return wire.MachinePolicyItem(
        image=image,
        memory_mib=said.memory_mib,
        processors=said.processors,
        user_disk_bytes=said.user_disk_bytes,
        prove_within_seconds=said.prove_within_seconds,
        soak_seconds=said.soak_seconds,
        postpone_seconds=said.postpone_seconds,
        starts_itself=said.starts_itself,
        disabled=said.is_disabled,
        revision=of.revision,
    )

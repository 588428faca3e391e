"""The JSON of users, user groups, computers, and what runs on them. Fields are added only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from corral.farm.application.list_machines import running_text
from corral.farm.entrypoints.cli.documents import instant
from corral.farm.entrypoints.cli.estate_documents import bandwidth

if TYPE_CHECKING:
    from corral.farm.application.issue_code import CodeView
    from corral.farm.application.list_computers import ComputerView
    from corral.farm.application.list_machines import ImageUserView, MachineView
    from corral.farm.application.list_users import UserGroupView, UserView
    from corral.farm.domain.computer.check_in import ComputerNews
    from corral.farm.domain.computer.policy import ImagePolicy
    from corral.farm.domain.computer.why import Difference
    from corral.farm.domain.image.image import ImageName
    from corral.farm.entrypoints.cli.output import Json


def user(view: UserView) -> dict[str, Json]:
    """Show a user."""
    of = view.user
    return {
        "id": str(of.id),
        "name": of.name,
        "full_name": of.full_name,
        "description": of.description,
        "created_at": instant(of.created_at),
        "groups": list(view.groups),
        "computers": list(view.computers),
        "images": list(view.images),
        "revision": of.revision,
    }


def user_group(view: UserGroupView) -> dict[str, Json]:
    """Show a user group."""
    return {
        "id": str(view.group.id),
        "name": view.group.name,
        "description": view.group.description,
        "members": list(view.members),
        "images": list(view.images),
        "revision": view.group.revision,
    }


def image_user(view: ImageUserView) -> dict[str, Json]:
    """Show a user beside an image."""
    granted = view.granted
    return {
        "assign": granted is not None,
        "staged": granted is not None and granted.is_staged,
        "by_groups": [] if granted is None else [group.name for group, _ in granted.by_groups],
        "name": view.user.name,
        "full_name": view.user.full_name,
        "running_versions": list(view.running),
        "assigned_versions": list(view.assigned),
        "machines": [machine(one) for one in view.machines],
    }


def machine(view: MachineView) -> dict[str, Json]:
    """Show what a user has of an image on a computer."""
    granted, seen = view.granted, view.seen
    return {
        "image": view.image.name,
        "mode": view.image.mode.value,
        "user": view.user.name,
        "full_name": view.user.full_name,
        "computer": None if view.computer is None else view.computer.name,
        "assigned": granted is not None,
        "staged": granted is not None and granted.is_staged,
        "by_groups": [] if granted is None else [group.name for group, _ in granted.by_groups],
        "running_version": running_text(view),
        "running_root": None if view.running_root is None else view.running_root.hex,
        "assigned_version": None if view.assigned is None else str(view.assigned.number),
        "ordered_version": None if view.ordered is None else str(view.ordered.number),
        "state": None if seen is None else seen.state.value,
        "is_running": seen is not None and seen.is_running,
        "difference": None if view.difference is None else difference(view.difference),
    }


def difference(of: Difference) -> dict[str, Json]:
    """Show why what runs is not what is assigned."""
    return {
        "why": of.why.value,
        "since": instant(of.since),
        "until": instant(of.until),
        "done_bytes": of.done_bytes,
        "total_bytes": of.total_bytes,
        "percent": of.percent,
        "rate": of.rate,
        "code": of.code,
        "text": of.text,
    }


def computer(view: ComputerView) -> dict[str, Json]:
    """Show a computer."""
    of, said, given = view.computer, view.said, view.given
    engine: dict[str, Json] | None = None
    if said is not None:
        engine = {**asdict(said.engine), "image_formats": list(said.engine.image_formats)}
    return {
        "id": str(of.id),
        "name": of.name,
        "state": of.state.value,
        "collection": view.collection.name,
        "site": view.site.name,
        "users": list(view.users),
        "asked_for": of.asked_for,
        "description": of.description,
        "paused": of.is_paused,
        "line": bandwidth(of.bandwidth),
        "asked_at": instant(of.asked_at),
        "registered_at": instant(of.registered_at),
        "kill_told_at": instant(of.kill_told_at),
        "killed_at": instant(of.killed_at),
        "last_check_in_at": None if said is None else instant(said.at),
        "address": None if said is None else said.address,
        "clock_offset_ms": None if said is None else said.clock_offset_ms,
        "engine": engine,
        "kit": None if said is None else {**asdict(said.kit), "state": said.kit.state.value},
        "generation": None if given is None else given.generation,
        "heard_generation": None if said is None else said.generation,
        "revision": of.revision,
    }


def code(view: CodeView) -> dict[str, Json]:
    """Show a one-time code, without its secret."""
    return {
        "id": str(view.code.id),
        "user": view.user,
        "collection": None if view.collection is None else view.collection.name,
        "uses_left": view.code.uses_left,
        "works": view.works,
        "created_at": instant(view.code.created_at),
        "expires_at": instant(view.code.expires_at),
    }


def event(of: ComputerNews) -> dict[str, Json]:
    """Show something that happened on a computer."""
    return {
        "number": of.number,
        "at": instant(of.at),
        "severity": of.severity.value,
        "code": of.code,
        "text": of.text,
        "image": of.image,
    }


def policy(image: ImageName, of: ImagePolicy) -> dict[str, Json]:
    """Show how machines of an image are run."""
    said = of.policy
    return {
        "image": image,
        "memory_mib": said.memory_mib,
        "processors": said.processors,
        "user_disk_bytes": said.user_disk_bytes,
        "prove_within_seconds": said.prove_within_seconds,
        "soak_seconds": said.soak_seconds,
        "postpone_seconds": said.postpone_seconds,
        "starts_itself": said.starts_itself,
        "disabled": said.is_disabled,
        "revision": of.revision,
    }

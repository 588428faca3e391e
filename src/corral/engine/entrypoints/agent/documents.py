"""The status as a document, for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corral.engine.application.ports import Status
    from corral.engine.bootstrap import Engine
    from corral.engine.domain.machine.record import Machine
    from corral.engine.domain.machine.seen import Seen
    from corral.engine.domain.report import Report

Document = dict[str, Any]


def status_document(engine: Engine) -> Document:
    """Give everything that is known now."""
    status = engine.show_status()
    check_in = engine.check_in
    return {
        "release": status.facts.release,
        "accelerator": "kvm" if status.facts.has_kvm else "emulation",
        "disk_free_bytes": status.facts.disk_free_bytes,
        "farm": _farm(status),
        "check_in": {
            "heard_at": check_in.heard_at,
            "failures": check_in.failures,
            "code": check_in.code,
            "problem": check_in.problem,
        },
        "is_pausing": status.is_pausing,
        "kit": _kit(status),
        "machines": [
            machine_document(machine, seen, said, engine) for machine, seen, said in status.machines
        ],
        "events": [
            {
                "number": entry.number,
                "at": entry.at,
                "severity": str(entry.notice.severity),
                "code": entry.notice.code,
                "text": entry.notice.text,
                "image": entry.notice.image,
            }
            for entry in status.events
        ],
    }


def _kit(status: Status) -> Document:
    said = status.kit
    transfer = None if said is None else said.transfer
    return {
        "state": "none" if said is None else str(said.state),
        "running": None if said is None else said.running,
        "wanted": None if said is None else said.wanted,
        "attempt": 0 if said is None else said.attempt,
        "done_bytes": 0 if transfer is None else transfer.done_bytes,
        "total_bytes": 0 if transfer is None else transfer.total_bytes,
        "code": "" if said is None else said.code,
        "problem": "" if said is None else said.problem,
    }


def _farm(status: Status) -> Document | None:
    place, orders = status.place, status.orders
    if place is None:
        return None
    return {
        "name": place.farm_name,
        "id": str(place.farm),
        "computer": str(place.computer),
        "computer_name": place.computer_name,
        "standing": str(place.standing),
        "api_urls": list(place.api_urls),
        "epoch": 0 if orders is None else orders.epoch,
        "generation": 0 if orders is None else orders.generation,
    }


def machine_document(machine: Machine, seen: Seen, said: Report, engine: Engine) -> Document:
    """Give one machine."""
    transfer = said.transfer
    waiting = engine.tend.waiting_for(machine.key)
    return {
        "name": machine.key.image,
        "user": machine.key.user,
        "mode": str(machine.mode),
        "state": str(said.state),
        "stage": str(machine.stage),
        "code": said.code,
        "problem": said.problem,
        "waiting_for": None if waiting is None else str(waiting),
        "power": str(seen.power),
        "wish": None if machine.wish is None else str(machine.wish),
        "is_suspended": machine.is_suspended,
        "is_healthy": seen.is_healthy,
        "wanted": said.wanted,
        "running": said.running,
        "version": None if machine.current is None else machine.current.name,
        "next_version": None if machine.candidate is None else machine.candidate.name,
        "proven": None if machine.proven is None else machine.proven.root,
        "done_bytes": 0 if transfer is None else transfer.done_bytes,
        "total_bytes": 0 if transfer is None else transfer.total_bytes,
        "rate": 0 if transfer is None else transfer.rate,
        "starts": machine.starts,
        "tries": machine.tries,
        "boot_milliseconds": machine.boot_milliseconds,
        "restart_in_seconds": None if said.restart_in is None else int(said.restart_in),
        "guest_tools": said.guest_tools,
        "needs_tools_by_hand": said.needs_tools_by_hand,
        "memory_mib": machine.policy.memory_mib,
    }

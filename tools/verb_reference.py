"""Write docs/reference/verbs.md: each command beside its calls of the API; ``--check`` compares."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


REFERENCE: Final = Path(__file__).parent.parent / "docs" / "reference"
PAGE: Final = REFERENCE / "verbs.md"
DESCRIPTION: Final = REFERENCE / "openapi.json"

HEAD: Final = """\
# Commands and calls

Written by `tools/verb_reference.py`, which has the table; change that, then run it. A test compares
it with the commands and with the API.

What the command line can do, the [HTTP API](http-api.md) can do, and the other way round. Where one
of them cannot, this page says why not.

| command | call of the API |
|---|---|
"""

_KEY: Final = (
    "a backup's key is nowhere but where an administrator keeps it, and the API would see it"
)
_WORKSHOP: Final = "for whoever makes releases, and needs no farm"
_MACHINE: Final = "at the machine itself, for when its farm cannot be reached"
_DATABASE: Final = (
    "an act of a machine that reaches the database: no API may be there that works on the schema"
)
_PROCESS: Final = "a process of the farm, begun by the machine's service manager"

COMMANDS: Final[Mapping[str, tuple[str, ...] | str]] = MappingProxyType(
    {
        "status": ("list_servers", "list_sessions", "show_replication", "list_tasks"),
        "farm create": "before there is a farm, there is no API",
        "farm show": ("show_farm",),
        "farm change": ("change_farm",),
        "farm certificates": ("show_certificates",),
        "farm check": ("check_farm",),
        "farm difference": ("show_difference",),
        "farm accept": ("accept_difference",),
        "upgrade check": ("check_upgrade",),
        "upgrade plan": ("plan_upgrade",),
        "upgrade run": ("run_upgrade",),
        "upgrade status": ("show_upgrade",),
        "upgrade list": ("list_upgrades",),
        "upgrade pause": ("pause_upgrade",),
        "upgrade resume": ("resume_upgrade",),
        "upgrade finalise": ("finalise_upgrade",),
        "upgrade roll-back": ("roll_upgrade_back",),
        "upgrade accept": ("accept_risk",),
        "upgrade withdraw": ("withdraw_acceptance",),
        "upgrade risks": ("list_accepted_risks",),
        "schema show": ("show_schema",),
        "schema expand": _DATABASE,
        "schema contract": _DATABASE,
        "schema read": "an upgrade has the next release do it where a backup was restored to",
        "schema script": "touches no database, and needs no farm",
        "farm balance": ("show_balance", "change_balance"),
        "site add": ("add_site",),
        "site list": ("list_sites",),
        "site show": ("show_site",),
        "site change": ("change_site",),
        "site remove": ("remove_site",),
        "site rebalance": ("rebalance_site",),
        "server add": ("add_server",),
        "server list": ("list_servers",),
        "server show": ("show_server",),
        "supervisor show": _MACHINE,
        "supervisor use": _MACHINE,
        "serve supervisor": _PROCESS,
        "server releases": ("list_servers",),
        "server drain": ("drain_server",),
        "server undrain": ("undrain_server",),
        "server change": ("change_server",),
        "server maintenance": ("change_server",),
        "server rebalance": ("rebalance_server",),
        "server remove": ("plan_server_removal", "remove_server"),
        "store verify": ("start_task",),
        "store heal": ("start_task",),
        "store collect": ("start_task",),
        "store scrub": ("start_task",),
        "store scrub-policy": ("set_scrub",),
        "store add": ("add_store",),
        "store list": ("list_stores",),
        "store show": ("show_store",),
        "store change": ("change_store",),
        "store remove": ("remove_store",),
        "image import": ("start_task",),
        "image list": ("list_images",),
        "image versions": ("list_versions",),
        "image show": ("show_image", "show_version"),
        "image verify": ("start_task",),
        "media seed": "it writes to a medium that is mounted where somebody runs it",
        "media list": "it reads a medium that is mounted where somebody runs it",
        "image export": "it writes a disk file on the machine where somebody runs it",
        "image delete": ("delete_version",),
        "image replicate": ("replicate_version",),
        "image affinity": ("show_image_affinity", "set_image_affinity"),
        "image republish": ("list_to_republish", "republish_images"),
        "image promote": ("promote_version", "promote_maintenance"),
        "image maintain": ("maintain_image",),
        "image discard": ("discard_maintenance",),
        "image release": ("release_version",),
        "image revert": ("revert_version",),
        "image retire": ("retire_version",),
        "image pin": ("pin_version",),
        "image unpin": ("unpin_image",),
        "image describe": ("describe_version",),
        "image history": ("show_version_history",),
        "image remove": ("remove_image",),
        "image set": ("change_image",),
        "collection add": ("add_collection",),
        "collection list": ("list_collections",),
        "collection show": ("show_collection",),
        "collection change": ("change_collection",),
        "collection move": ("change_collection",),
        "collection remove": ("remove_collection",),
        "collection affinity": ("show_collection_affinity", "set_collection_affinity"),
        "device add": ("register_device", "add_device_series"),
        "device list": ("list_devices",),
        "device show": ("show_device",),
        "device assign": ("assign_device",),
        "device unassign": ("unassign_device",),
        "device login": ("log_device_in",),
        "device change": ("change_device",),
        "device move": ("change_device",),
        "device disable": ("change_device",),
        "device enable": ("change_device",),
        "device remove": ("remove_device",),
        "device import": ("import_devices",),
        "device set-cache": ("set_device_cache", "clear_device_cache"),
        "device reset-cache": ("reset_device_cache",),
        "image assign": ("assign_image",),
        "image unassign": ("unassign_image",),
        "image users": ("list_image_users",),
        "image machine": ("show_machine_policy", "set_machine_policy"),
        "user add": ("add_user",),
        "user list": ("list_users",),
        "user show": ("show_user",),
        "user change": ("change_user",),
        "user remove": ("remove_user",),
        "user assign": ("assign_image",),
        "user unassign": ("unassign_image",),
        "user images": ("list_user_images",),
        "user-group add": ("add_user_group",),
        "user-group list": ("list_user_groups",),
        "user-group show": ("show_user_group",),
        "user-group change": ("change_user_group",),
        "user-group remove": ("remove_user_group",),
        "computer list": ("list_computers",),
        "computer show": ("show_computer",),
        "computer images": ("list_computer_images",),
        "computer events": ("list_computer_events",),
        "computer kits": ("list_computer_kits",),
        "computer code": ("issue_computer_code",),
        "computer codes": ("list_computer_codes",),
        "computer code-revoke": ("revoke_computer_code",),
        "computer approve": ("approve_computer",),
        "computer refuse": ("refuse_computer",),
        "computer change": ("change_computer",),
        "computer retry": ("retry_machine",),
        "computer kill": ("kill_computer",),
        "computer kill-undo": ("undo_kill",),
        "computer recycle": ("recycle_computer",),
        "computer delete": ("delete_computer",),
        "kit key": _WORKSHOP,
        "kit build": _WORKSHOP,
        "kit show": _WORKSHOP,
        "library folder": ("set_library_folder", "look_into_folder"),
        "library import": ("import_into_library",),
        "library list": ("list_library",),
        "library show": ("show_library_item",),
        "library remove": ("remove_library_item",),
        "library trust": ("trust_publisher", "list_publishers", "distrust_publisher"),
        "library assign": ("assign_kit",),
        "library unassign": ("unassign_kit",),
        "library retry": ("retry_kit",),
        "library computers": ("list_kit_computers",),
        "rollout start": ("plan_rollout", "start_rollout"),
        "rollout list": ("list_rollouts",),
        "rollout show": ("show_rollout",),
        "rollout pause": ("pause_rollout",),
        "rollout resume": ("resume_rollout",),
        "rollout stop": ("stop_rollout",),
        "rollout take-back": ("take_rollout_back",),
        "rollout retry": ("retry_rollout",),
        "rollout remove": ("remove_rollout",),
        "session list": ("list_sessions",),
        "replica list": ("list_replicas",),
        "replication status": ("show_replication",),
        "replication policy": ("plan_copies", "set_copies"),
        "replication limit": ("limit_replication",),
        "account add": ("add_account",),
        "account list": ("list_accounts",),
        "account show": ("show_account",),
        "account change": ("change_account",),
        "account disable": ("change_account",),
        "account enable": ("change_account",),
        "account remove": ("remove_account",),
        "account set-password": ("set_password",),
        "group add": ("add_group",),
        "group list": ("list_groups",),
        "group show": ("show_group",),
        "group change": ("change_group",),
        "group remove": ("remove_group",),
        "role grant": ("grant_role",),
        "role revoke": ("revoke_role",),
        "role list": ("list_roles",),
        "token create": ("issue_token",),
        "token list": ("list_tokens",),
        "token revoke": ("revoke_token",),
        "audit list": ("list_audit",),
        "backup key": _KEY,
        "backup set": ("show_backup_rules", "change_backup_rules"),
        "backup create": ("create_backup",),
        "backup list": ("list_backups",),
        "backup verify": _KEY,
        "backup restore": _KEY,
        "backup roll-up": ("roll_up_backups",),
        "backup schedule": ("add_schedule",),
        "task list": ("list_tasks",),
        "task show": ("show_task",),
        "task start": ("start_task",),
        "task cancel": ("cancel_task",),
        "task pause": ("pause_task",),
        "task resume": ("resume_task",),
        "task retry": ("retry_task",),
        "task watch": ("follow_task",),
        "task limit": ("show_task_rules", "change_task_rules"),
        "schedule add": ("add_schedule",),
        "schedule list": ("list_schedules",),
        "schedule remove": ("remove_schedule",),
        "schedule cancel-run": ("cancel_scheduled_run",),
        "serve api": _PROCESS,
        "serve stream": _PROCESS,
        "serve worker": _PROCESS,
    }
)
"""Each command, with the calls that do the same, or why there is none."""

_SELF: Final = (
    "somebody's own account: at the command line people are who the system says, and need no token"
)
_MACHINES: Final = "for stream processes, which are no people"
_ENGINES: Final = "for the engines of computers, which sign what they say"

CALLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "sign_in": _SELF,
        "sign_out": _SELF,
        "show_self": _SELF,
        "change_own_password": _SELF,
        "list_own_tokens": _SELF,
        "issue_own_token": _SELF,
        "revoke_own_token": _SELF,
        "configure_server": _MACHINES,
        "snapshot_logins": _MACHINES,
        "take_server_report": _MACHINES,
        "certify_server": _MACHINES,
        "register_computer": _ENGINES,
        "check_in": _ENGINES,
        "signal": _ENGINES,
        "upload_into_folder": "on the farm's machine a file is copied there, or imported by path",
        "health": "says whether the API is up; `corral farm show` fails if the database is not",
        "read_metrics": "for Prometheus",
    }
)
"""Each call without a command, with the reason."""


def routes() -> Mapping[str, str]:
    """Give method and path of each call by its name, from the description that a test compares."""
    described = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
    return {
        call["operationId"]: f"{method.upper()} {path}"
        for path, calls in described["paths"].items()
        for method, call in calls.items()
    }


def render() -> str:
    """Give the page."""
    known = routes()
    lines = [HEAD.rstrip("\n")]
    for command, calls in COMMANDS.items():
        if isinstance(calls, str):
            said = f"none: {calls}"
        else:
            said = ", ".join(f"`{known[call]}`" for call in calls)
        lines.append(f"| `corral {command}` | {said} |")
    lines += ["", "## Calls without a command", "", "| call of the API | why |", "|---|---|"]
    lines += [f"| `{known[call]}` | {why} |" for call, why in CALLS.items()]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

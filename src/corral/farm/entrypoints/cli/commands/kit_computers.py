"""``corral library assign`` and what belongs to it, and ``corral computer kits``."""

from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, rollout_documents
from corral.farm.entrypoints.cli.commands.library import ItemArgument
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import human_time, print_json, print_line, print_table

if TYPE_CHECKING:
    from corral.farm.domain.library.assignment import UpgradeView

commands = typer.Typer()
of_computers = typer.Typer()
"""They stand among those of :mod:`.library`."""

ComputersArgument = Annotated[
    list[str],
    typer.Argument(
        help="Names of computers.", metavar="COMPUTER", autocompletion=completion.computers
    ),
]


@commands.command("assign", epilog="Example: corral library assign engine-5.0 laptop desk")
def assign(
    context: typer.Context,
    name: ItemArgument,
    computers: ComputersArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give computers a kit of the engine: all of them, or none if one could not follow."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    made = application.assign_kit(item_name(name), list(map(computer_name, computers)))
    if as_json:
        print_json({"kit": name, "computers": list(computers)})
        return
    print_line(f"{name} is given to {len(made)} computers when they check in")


@commands.command("unassign", epilog="Example: corral library unassign engine-5.0 laptop")
def unassign(
    context: typer.Context,
    name: ItemArgument,
    computers: ComputersArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a kit away from computers; what they run they go on running."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    application.unassign_kit(item_name(name), list(map(computer_name, computers)))
    if as_json:
        print_json({"kit": name, "computers": list(computers)})
        return
    print_line(f"{name} is not given to {', '.join(computers)} any more")


@commands.command("retry", epilog="Example: corral library retry engine-5.0 laptop")
def retry(
    context: typer.Context,
    name: ItemArgument,
    computer: Annotated[
        str,
        typer.Argument(
            help="Name of the computer.", metavar="COMPUTER", autocompletion=completion.computers
        ),
    ],
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Have a computer try a kit again that failed there, or from which it went back."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415

    application = opening.opened(context, farm)
    after = application.retry_kit(item_name(name), computer_name(computer))
    if as_json:
        print_json({"kit": name, "computer": computer, "attempt": after.attempt})
        return
    print_line(f"{computer} tries {name} again when it checks in")


@commands.command("computers", epilog="Example: corral library computers engine-5.0")
def list_computers(
    context: typer.Context,
    name: ItemArgument,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every computer beside a kit, and how far it is with it."""
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415

    found = opening.opened(context, farm).list_kit_computers(item_name(name))
    if as_json:
        print_json([rollout_documents.kit_computer(one) for one in found])
        return
    print_table(
        "",
        ("COMPUTER", "ASSIGNED", "ENGINE", "UPGRADE", "SEEN", "WHY"),
        [
            (
                one.computer.name,
                "yes" if one.assignment else "",
                "" if one.said is None else one.said.engine.release,
                _upgrade(one.upgrade),
                human_time(one.upgrade.since),
                one.upgrade.text or one.upgrade.code,
            )
            for one in found
        ],
        empty="no computers yet: corral computer code",
    )


@of_computers.command("kits", epilog="Example: corral computer kits laptop")
def list_kits(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the computer.", metavar="COMPUTER", autocompletion=completion.computers
        ),
    ],
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """List every kit of the engine beside a computer, and how far it is with it."""
    from corral.farm.domain.computer.computer import computer_name  # noqa: PLC0415

    found = opening.opened(context, farm).list_computer_kits(computer_name(name))
    if as_json:
        print_json([rollout_documents.computer_kit(one) for one in found])
        return
    print_table(
        "",
        ("KIT", "ASSIGNED", "UPGRADE", "WHY"),
        [
            (
                one.item.name,
                "yes" if one.assignment else "",
                _upgrade(one.upgrade),
                one.upgrade.text or one.upgrade.code,
            )
            for one in found
        ],
        empty="the library has no kit of the engine: corral library folder",
    )


def _upgrade(of: "UpgradeView") -> str:
    detail = f" ({of.detail}" if of.detail else ""
    if detail and of.total_bytes:
        detail += f", {100 * of.done_bytes // of.total_bytes}%"
    return f"{of.upgrade.value}{detail}{')' if detail else ''}"

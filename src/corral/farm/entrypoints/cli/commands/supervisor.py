"""``corral supervisor``: what can be seen and done at a server's own machine, without its farm."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import JsonOption
from corral.farm.entrypoints.cli.output import print_facts, print_json, print_line

if TYPE_CHECKING:
    from corral.farm.adapters.farm_folder.releases_folder import ReleasesFolder
    from corral.farm.domain.supervision.record import Supervision
    from corral.farm.entrypoints.cli.output import Json

commands = command_group("A server's releases, at the server: for when its farm cannot be reached.")

ReleasesOption = Annotated[
    Path,
    typer.Option(
        "--releases",
        metavar="DIR",
        envvar="CORRAL_RELEASES",
        help="The folder that the machine's supervisor keeps.",
    ),
]


@commands.command("show", epilog="Example: corral supervisor show --releases /var/lib/corral")
def show_releases(*, releases: ReleasesOption, as_json: JsonOption = False) -> None:
    """Say which releases lie on this machine, which is in force, and how far a switch is."""
    folder = _folder(releases)
    state = _state(folder)
    installed = list(folder.installed())
    if as_json:
        print_json(_document(state, installed))
        return
    problem = state.problem
    print_facts(
        [
            ("in force", state.active),
            ("before", state.previous or "none"),
            ("stage", state.stage.value),
            *((("coming", state.coming),) if state.coming else ()),
            ("installed", " ".join(installed) or "none"),
            ("order", str(state.order or "none")),
            *((("problem", f"{problem.message} ({problem.code})"),) if problem else ()),
        ]
    )


@commands.command("use", epilog="Example: corral supervisor use 1.4 --releases /var/lib/corral")
def use_release(
    release: Annotated[str, typer.Argument(help="What is to run.", metavar="RELEASE")],
    *,
    releases: ReleasesOption,
    as_json: JsonOption = False,
) -> None:
    """Have the supervisor switch to a release that lies on this machine, or go back to it.

    The release has to prove itself like one that the farm orders. The farm sees that it did not
    order this, and changes nothing here until somebody looks.
    """
    from corral.farm.domain.supervision.errors import (  # noqa: PLC0415 - not for `--help`
        ReleaseNotInstalledError,
    )
    from corral.farm.domain.supervision.record import (  # noqa: PLC0415
        SwitchOrder,
        is_same_release,
    )

    folder = _folder(releases)
    state = _state(folder)
    if folder.find(release) is None and not is_same_release(release, _package()):
        raise ReleaseNotInstalledError(release)
    folder.tell(SwitchOrder(state.taken, release, state.active, by_hand=_mark()))
    if as_json:
        print_json(_document(state, list(folder.installed())))
    else:
        print_line(
            f"the supervisor is told to go from {state.active} to {release};"
            " 'corral supervisor show' says how far it is"
        )


def _document(state: "Supervision", installed: list[str]) -> "dict[str, Json]":
    problem = state.problem
    return {
        "active": state.active,
        "previous": state.previous,
        "stage": state.stage.value,
        "coming": state.coming,
        "installed": [*installed],
        "order": state.order,
        "problem": (
            None
            if problem is None
            else {"order": problem.order, "code": problem.code, "message": problem.message}
        ),
    }


def _folder(path: Path) -> "ReleasesFolder":
    from corral.farm.adapters.farm_folder.releases_folder import (  # noqa: PLC0415
        ReleasesFolder,
    )

    return ReleasesFolder(path.absolute())


def _state(folder: "ReleasesFolder") -> "Supervision":
    from corral.farm.domain.supervision.errors import ReleasesUnusableError  # noqa: PLC0415

    state = folder.load()
    if state is None:
        raise ReleasesUnusableError(folder.path, "no supervisor has ever run with it")
    return state


def _package() -> str:
    from importlib.metadata import version  # noqa: PLC0415

    return version("corral")


def _mark() -> str:
    """Give what no other order has."""
    from corral.farm.adapters.randomness import RandomIds  # noqa: PLC0415

    return RandomIds().new().hex

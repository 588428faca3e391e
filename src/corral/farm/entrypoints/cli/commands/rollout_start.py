"""``corral rollout start``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening, rollout_documents
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line, print_table
from corral.farm.entrypoints.cli.times import time_span

if TYPE_CHECKING:
    from datetime import timedelta

    from corral.farm.application.start_rollout import Started
    from corral.farm.domain.rollout.gate import Gate
    from corral.farm.domain.rollout.terms import Terms

commands = typer.Typer()
"""It stands among those of :mod:`.rollout`."""


@commands.command(
    "start",
    epilog="Example: corral rollout start debian-3 debian/3 --ring test=laptop,rboston --wave 100",
)
def start(  # noqa: PLR0913 - one for each option of the command
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.", metavar="ROLLOUT")],
    given: Annotated[
        str,
        typer.Argument(
            help="A version in test, such as debian/3, or a kit of the library.",
            metavar="VERSION|KIT",
            autocompletion=completion.versions,
        ),
    ],
    *,
    ring: Annotated[
        list[str] | None,
        typer.Option(
            "--ring",
            metavar="NAME=WHO,…",
            help="A wave of computers, users or user groups, before all shares; several.",
            show_default=False,
        ),
    ] = None,
    wave: Annotated[
        list[int] | None,
        typer.Option(
            "--wave",
            metavar="PERCENT",
            help="A wave that brings in so many of all machines, with those before; several.",
            show_default="1, 10, 50, 100",
        ),
    ] = None,
    min_sample: Annotated[
        int | None,
        typer.Option("--min-sample", metavar="N", help="Machines to judge by.", show_default="1"),
    ] = None,
    min_proven: Annotated[
        int | None,
        typer.Option(
            "--min-proven",
            metavar="PERCENT",
            help="Of each wave, before the next begins.",
            show_default="80",
        ),
    ] = None,
    max_failures: Annotated[
        int | None,
        typer.Option("--max-failures", metavar="N", help="More of them halt it.", show_default="0"),
    ] = None,
    max_failed: Annotated[
        int | None,
        typer.Option(
            "--max-failed",
            metavar="PERCENT",
            help="A larger share of failed machines halts it.",
            show_default="10",
        ),
    ] = None,
    soak: Annotated[
        str | None,
        typer.Option(
            "--soak",
            metavar="TIME",
            help="How long each machine is watched, such as 30m, 4h or 2d.",
            show_default="1h",
        ),
    ] = None,
    terms: Annotated[
        Path | None,
        typer.Option(
            "--terms",
            metavar="FILE",
            help="All of that and more, as JSON, in the place of the options above.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say who would be in which wave.", show_default=False),
    ] = False,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin to give a version or a kit to machines in waves.

    Machines are offered it as they check in. Between two waves stands a gate; one that fails halts
    the rollout until somebody looks.
    """
    from corral.farm.application.start_rollout import RolloutRequest  # noqa: PLC0415
    from corral.farm.domain.image.version import VersionName  # noqa: PLC0415
    from corral.farm.domain.library.item import item_name  # noqa: PLC0415
    from corral.farm.domain.rollout.rollout import rollout_name  # noqa: PLC0415
    from corral.farm.domain.rollout.terms import read_terms  # noqa: PLC0415

    limits = {
        "min_sample": min_sample,
        "min_proven_percent": min_proven,
        "max_failures": max_failures,
        "max_failed_percent": max_failed,
        "soak": None if soak is None else time_span(soak, "--soak"),
    }
    said = {key: value for key, value in limits.items() if value is not None}
    if terms is not None:
        if said or ring or wave:
            message = "it says the waves and all limits: leave the other options out"
            raise typer.BadParameter(message, param_hint="--terms")
        wanted: Terms | None = read_terms(terms.read_text(encoding="utf-8"))
    else:
        wanted = _terms(ring or [], wave, _gate(said)) if said or ring or wave else None
    request = RolloutRequest(
        rollout_name(name), VersionName.parse(given) if "/" in given else item_name(given), wanted
    )
    application = opening.opened(context, farm)
    started = (
        application.start_rollout.planned(request)
        if dry_run
        else application.start_rollout(request)
    )
    if as_json:
        document = rollout_documents.planned(started)
        print_json({"name": name, "started": not dry_run, **document})
        return
    _tell(started, is_planned=dry_run)


def _gate(said: dict[str, "int | timedelta"]) -> "Gate":
    from corral.farm.domain.rollout.gate import Gate  # noqa: PLC0415 - not for `--help`

    return Gate(**said)  # type: ignore[arg-type]  # by name, and checked by the gate itself


def _terms(rings: list[str], shares: list[int] | None, gate: "Gate") -> "Terms":
    from corral.farm.domain.rollout.terms import Terms  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.rollout.wave import STANDARD, Wave, checked_waves  # noqa: PLC0415

    waves = []
    for text in rings:
        called, equals, who = text.partition("=")
        names = frozenset(part.strip() for part in who.split(",") if part.strip())
        if not equals or not names:
            message = f"{text!r} is not NAME=WHO,…"
            raise typer.BadParameter(message, param_hint="--ring")
        waves.append(Wave(called, ring=names, gate=gate))
    usual = [wave.upto_percent for wave in STANDARD] if not rings else [100]
    given = shares if shares is not None else usual
    waves += [Wave(f"upto-{share}", share, gate=gate) for share in given]
    return Terms(checked_waves(waves))


def _tell(started: "Started", *, is_planned: bool) -> None:
    chosen = {one.id: one.wave for one in started.course.members}
    rollout = started.course.rollout
    print_line(
        f"{rollout.offering.name} {'would be' if is_planned else 'is'} rolled out to"
        f" {len(chosen)} machines as they check in"
    )
    names = {
        one.id: rollout_documents.machine_name(str(one.computer.name), one.user)
        for one in started.machines
    }
    rows = []
    for number, wave in enumerate(rollout.waves):
        own = sorted(names[one] for one, at in chosen.items() if at == number)
        rows.append((wave.name, str(len(own)), ", ".join(own[:5])))
    print_table("", ("WAVE", ">MACHINES", "FIRST OF THEM"), rows, empty="no waves")
    left = sorted(name for one, name in names.items() if one not in chosen)
    if left:
        print_line(f"in no wave, and offered nothing: {', '.join(left[:5])} ({len(left)})")

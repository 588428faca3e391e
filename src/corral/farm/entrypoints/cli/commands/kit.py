"""``corral kit``: what publishers do. Needs no farm."""

from pathlib import Path
from typing import Annotated

import typer

from corral.farm.entrypoints.cli import library_documents
from corral.farm.entrypoints.cli.commands.library import kit_facts
from corral.farm.entrypoints.cli.group import command_group
from corral.farm.entrypoints.cli.opening import JsonOption
from corral.farm.entrypoints.cli.output import human_size, print_facts, print_json, print_line

commands = command_group("Build kits, and look at them; needs no farm.")


@commands.command("key", epilog="Example: corral kit key publisher.key")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where the key goes.", metavar="FILE")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a publisher's key, and print its public half, which farms are told to trust.

    Keep the file where kits are built, and nowhere else: who has it can have every computer of
    those farms run anything.
    """
    from corral.farm.bootstrap import kit_workshop  # noqa: PLC0415 - not for `--help`
    from corral.farm.domain.library.kit import written_public_key  # noqa: PLC0415

    public = written_public_key(kit_workshop().make_key(file))
    if as_json:
        print_json({"key_file": str(file), "public_key": public})
        return
    print_facts(
        [
            ("key", f"{file} (keep it safe)"),
            ("public key", public),
            ("next", f"corral library trust add NAME {public}"),
        ]
    )


@commands.command(
    "build",
    epilog="Example: corral kit build dist/ --manifest engine-5.0.json --key publisher.key",
)
def build_kit(
    sources: Annotated[
        list[Path],
        typer.Argument(help="Files, or folders of files, such as wheels.", metavar="SOURCE"),
    ],
    *,
    manifest: Annotated[
        Path,
        typer.Option(
            "--manifest", metavar="FILE", help="Release manifest, without its digest.", exists=True
        ),
    ],
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="The publisher's key.", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="The kit.", show_default="named by the release"
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Build a kit of files, and sign it."""
    from corral.farm.application.progress import Progress  # noqa: PLC0415 - not for `--help`
    from corral.farm.bootstrap import kit_workshop, look_at_kit  # noqa: PLC0415

    target = output or Path(f"{manifest.stem}.corral-kit")
    text = manifest.read_text(encoding="utf-8")
    kit = kit_workshop().build(text, sources, target, key, Progress())
    size = look_at_kit(target.absolute(), {}).size_bytes
    if as_json:
        print_json({"path": str(target), "name": kit.name, "size_bytes": size})
        return
    print_line(f"{kit.name} is in {target}, {human_size(size)}, {len(kit.files)} files")


@commands.command("show", epilog="Example: corral kit show engine-5.0.corral-kit")
def show_kit(
    file: Annotated[Path, typer.Argument(help="The kit.", metavar="FILE")],
    *,
    as_json: JsonOption = False,
) -> None:
    """Show what a kit says of itself, and by which keys; whether one is trusted, a farm says."""
    from corral.farm.bootstrap import look_at_kit  # noqa: PLC0415 - not for `--help`

    found = look_at_kit(file.absolute(), {})
    if as_json:
        print_json(library_documents.looked(found))
        return
    facts = [
        ("kit", found.kit.name),
        ("size", human_size(found.size_bytes)),
        ("signed by", ", ".join(found.signed_by)),
        *kit_facts(found.kit.text),
    ]
    print_facts([fact for fact in facts if fact[1]])

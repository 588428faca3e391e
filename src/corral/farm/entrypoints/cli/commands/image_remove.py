"""``corral image remove``."""

import typer

from corral.farm.entrypoints.cli import opening
from corral.farm.entrypoints.cli.commands.image import ImageArgument
from corral.farm.entrypoints.cli.edits import RevisionOption
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line

commands = typer.Typer()
"""They stand among those of :mod:`.image`."""


@commands.command("remove", epilog="Example: corral image remove debian")
def remove_image(
    context: typer.Context,
    name: ImageArgument,
    *,
    revision: RevisionOption = None,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove an image whose versions are all deleted and that no device is to start from.

    If an image is imported under its name later, its numbers go on where they ended.
    """
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415 - not for `--help`

    image = opening.opened(context, farm).remove_image(image_name(name), revision)
    if as_json:
        print_json({"removed": image.name})
    else:
        print_line(f"image {image.name} is removed")

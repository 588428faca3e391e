"""``corral image affinity`` and ``corral collection affinity``."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from corral.farm.entrypoints.cli import completion, opening
from corral.farm.entrypoints.cli.opening import FarmOption, JsonOption
from corral.farm.entrypoints.cli.output import print_json, print_line

if TYPE_CHECKING:
    from corral.farm.domain.delivery.ranking import Affinity


class Word(StrEnum):
    """How much devices are bound to servers of their own subnet."""

    NONE = "none"
    BEST_EFFORT = "best-effort"
    FIXED = "fixed"
    UNSET = "unset"


AffinityArgument = Annotated[
    Word | None,
    typer.Argument(
        help="none: any server; best-effort: one of the own subnet if it lets the device in;"
        " fixed: one of the own subnet or none; unset: say nothing.",
        metavar="AFFINITY",
        show_default="only show it",
    ),
]


of_images = typer.Typer()
of_collections = typer.Typer()


@of_images.command("affinity", epilog="Example: corral image affinity debian fixed")
def bind_image(
    context: typer.Context,
    name: Annotated[
        str,
        typer.Argument(
            help="Name of the image.", metavar="IMAGE", autocompletion=completion.images
        ),
    ],
    affinity: AffinityArgument = None,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bind the devices of an image to servers of their own subnet, from their next login on.

    Without AFFINITY it shows what is said.
    """
    from corral.farm.domain.image.image import image_name  # noqa: PLC0415 - not for `--help`

    application = opening.opened(context, farm)
    if affinity is not None:
        application.set_affinity.of_image(image_name(name), _read(affinity))
    said = application.show_affinity.of_image(image_name(name))
    _show("image", name, said, as_json=as_json)


@of_collections.command("affinity", epilog="Example: corral collection affinity room-1 best-effort")
def bind_collection(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the collection.", metavar="COLLECTION")],
    affinity: AffinityArgument = None,
    *,
    farm: FarmOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bind the devices of a collection to servers of their subnet, whatever their image says.

    Without AFFINITY it shows what is said.
    """
    from corral.farm.domain.estate.collection import (  # noqa: PLC0415 - not for `--help`
        collection_name,
    )

    application = opening.opened(context, farm)
    if affinity is not None:
        application.set_affinity.of_collection(collection_name(name), _read(affinity))
    said = application.show_affinity.of_collection(collection_name(name))
    _show("collection", name, said, as_json=as_json)


def _read(word: Word) -> "Affinity | None":
    from corral.farm.domain.delivery.ranking import Affinity  # noqa: PLC0415 - not for `--help`

    return None if word is Word.UNSET else Affinity(word.value)


def _show(kind: str, name: str, affinity: "Affinity | None", *, as_json: bool) -> None:
    said = None if affinity is None else affinity.value
    if as_json:
        print_json({kind: name, "affinity": said})
    else:
        print_line(f"{kind} {name}: affinity {said or 'is not said here'}")

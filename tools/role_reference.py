"""Write docs/reference/roles.md from the table and the API; ``--check`` only compares."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from corral.farm.domain.access.permission import TABLE, Extent, Level, Permission
from corral.farm.domain.access.token import TokenDigest
from corral.farm.entrypoints.http.app import create_app

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from corral.farm.entrypoints.http.application import Application
    from corral.farm.entrypoints.http.permitted import OpenTo

PAGE: Final = Path(__file__).parent.parent / "docs" / "reference" / "roles.md"

HEAD: Final = """\
# Roles and permissions

Written by `tools/role_reference.py` from the table and the API; change those, then run it.

A *role* is a level over an extent. Levels are reader, operator and administrator, each of which may
what those before it may; extents are the farm, a site and a collection. Nine roles come of it, from
`farm-administrator` to `collection-reader`. A role over a site or a collection is granted for one
of them by name, and counts for what lies in it and for nothing else.

An account has the roles that were granted to it and those of its groups. A token has what its
account has at that moment, as far as its *scopes* name it: a scope is the name of a permission,
`NOUN.*`, `*.read` or `*`.

## What each permission needs

The least level over each extent. What is about the *whole farm* lies in no site: its permission
is not bound to a place. *No*: no role over that extent allows it.

| permission | over the farm | over a site | over a collection | is about |
|---|---|---|---|---|
"""

ROUTES: Final = """
`self`, one's own account, needs no role: a person who signed in has it, a token never has.

## What each call of the API needs

| call | permission |
|---|---|
"""


def render() -> str:
    """Give the page."""
    return HEAD + "\n".join(_permissions()) + "\n" + ROUTES + "\n".join(_calls()) + "\n"


def _permissions() -> Iterator[str]:
    for permission, row in TABLE.items():
        levels = (_level(row.needed(extent)) for extent in Extent)
        about = "one place" if row.is_placed else "the whole farm"
        yield f"| `{permission.value}` | {' | '.join(levels)} | {about} |"


def _calls() -> Iterator[str]:
    # No handler is called, so that no application is needed.
    app = create_app(cast("Application", None), TokenDigest(b""))
    declared: Mapping[tuple[str, str], Permission | OpenTo] = app.state.declared
    for (method, path), demanded in sorted(declared.items(), key=lambda one: (one[0][1], one[0])):
        need = (
            f"`{demanded.value}`"
            if isinstance(demanded, Permission)
            else f"open to {demanded.value}"
        )
        yield f"| `{method} {path}` | {need} |"


def _level(level: Level | None) -> str:
    return "no" if level is None else level.name.lower()


def main() -> int:
    """Write the page, or compare it."""
    page = render()
    if "--check" in sys.argv:
        return 0 if PAGE.read_text(encoding="utf-8") == page else 1
    PAGE.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Steps of the schema as a script, for whoever lets no program change a database.

The script begins only at the step that it expects, does nothing where it was run before, and
refuses every other step. It is one transaction.
"""

from __future__ import annotations

import io
from typing import Final

from alembic import command
from alembic.util import CommandError

from corral.farm.adapters.sql import schema
from corral.farm.adapters.sql.postgresql import WRITERS_LOCK
from corral.farm.domain.upgrade.errors import SchemaScriptInvalidError

DIALECTS: Final = ("postgresql", "sqlite")
FIRST: Final = "0031"
"""Steps before it look into the database, and no release from before them shares one."""


def schema_script(first: str, last: str, dialect: str) -> str:
    """Give the script from one step to a later one.

    Raises ``SchemaScriptInvalidError``.
    """
    for revision in (first, last):
        if revision not in schema.REVISIONS:
            why = f"this release knows no step {revision!r}"
            raise SchemaScriptInvalidError(first, last, why)
    if not FIRST <= first < last:
        why = "it leads to a later step" if first >= last else f"the first that can be is {FIRST}"
        raise SchemaScriptInvalidError(first, last, why)
    if dialect not in DIALECTS:
        why = f"{dialect!r} is no database of a farm: {' or '.join(DIALECTS)}"
        raise SchemaScriptInvalidError(first, last, why)
    taken = [one for one in schema.OWN.steps if first < one.revision <= last]
    head = [
        f"-- Corral: the schema of a farm's database from step {first} to {last}, for {dialect}.",
        *(f"--   {one.revision} {one.half}: {one.what.replace('_', ' ')}" for one in taken),
    ]
    body = _statements(first, last, dialect)
    frame = _for_postgresql if dialect == "postgresql" else _for_sqlite
    return "\n".join([*head, frame(first, last, body)])


def _statements(first: str, last: str, dialect: str) -> str:
    configuration = schema.alembic_configuration()
    text = io.StringIO()
    configuration.attributes.update(dialect=dialect, text=text)
    try:
        command.upgrade(configuration, f"{first}:{last}", sql=True)
    except CommandError as error:
        # SQLite changes some things only by making a table anew, from what it has.
        why = f"a step needs the database at hand on {dialect} ({error})"
        raise SchemaScriptInvalidError(first, last, why) from error
    return text.getvalue().strip()


def _for_postgresql(first: str, last: str, body: str) -> str:
    return f"""\
-- Run it as the owner of the database: psql --set ON_ERROR_STOP=1 --file THIS-FILE DATABASE-URL
DO $corral_schema$
DECLARE
  corral_seen text;
BEGIN
  -- The lock of the farm's writers, and a short wait for tables that somebody reads.
  PERFORM pg_advisory_xact_lock({WRITERS_LOCK});
  SET LOCAL statement_timeout = 0;
  SET LOCAL lock_timeout = '3s';
  SELECT string_agg(version_num, ', ') INTO corral_seen FROM alembic_version;
  IF corral_seen = '{last}' THEN
    RAISE NOTICE 'nothing to do: the schema is at step {last}';
    RETURN;
  END IF;
  IF corral_seen IS DISTINCT FROM '{first}' THEN
    RAISE EXCEPTION 'nothing was done: the schema is at step %, and this script begins at {first}',
      coalesce(corral_seen, 'none');
  END IF;
{body}
END
$corral_schema$;
"""  # noqa: S608 - steps and statements of ours


def _for_sqlite(first: str, last: str, body: str) -> str:
    """Let the shell read what is to be done from a file that says nothing if it is done."""
    kept = f"corral-schema-{first}-{last}.tmp"
    rule = f"nothing was done: the schema is not at step {first}, where this script begins"
    return f"""\
-- Run it in a folder where you may write: sqlite3 farm.db <THIS-FILE
.bail on
.timeout 20000
.headers off
.mode list
BEGIN IMMEDIATE;
CREATE TEMPORARY TABLE corral_gate (
  seen TEXT CONSTRAINT "{rule}" CHECK (seen IN ('{first}', '{last}'))
);
INSERT INTO corral_gate
  SELECT coalesce((SELECT group_concat(version_num) FROM alembic_version), 'none');
.once {kept}
SELECT CASE seen WHEN '{last}' THEN 'SELECT ''nothing to do: the schema is at step {last}'';' ELSE '
{body.replace("'", "''")}
' END FROM corral_gate;
.read {kept}
.system rm -f {kept}
COMMIT;
"""  # noqa: S608 - steps and statements of ours

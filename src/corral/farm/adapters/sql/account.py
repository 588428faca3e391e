"""As whom a process comes to the database."""

from __future__ import annotations

import os
import pwd

from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Conninfo

from corral.farm.adapters.sql.postgresql import is_postgresql


def account_of(url: str) -> str:
    """Give the user that the database of a URL sees, without asking it.

    For PostgreSQL what ``libpq`` takes: the URL's, a service file's, ``PGUSER``, else that of the
    process; an embedded database is a file, and opened by the user of the process.
    """
    process = _user_of_process()
    if not is_postgresql(url):
        return process
    given = conninfo_to_dict(url)
    if user := given.get("user"):
        return str(user)
    if service := given.get("service"):
        return f"that of service {service}"
    known = {one.keyword: one.val for one in Conninfo.get_defaults()}
    named = known.get(b"user")
    return process if named is None else named.decode(errors="replace")


def _user_of_process() -> str:
    number = os.geteuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)

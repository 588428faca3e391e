"""The tables as the newest migration leaves them; a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    Uuid,
    false,
    text,
)

from corral.farm.domain.estate.collection import FIRST_COLLECTION
from corral.farm.domain.estate.site import FIRST_SITE
from corral.farm.domain.estate.store import FIRST_STORE

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect

# Named by rule, so that a later migration can name what it changes on every database.
metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware moment, kept in UTC; SQLite forgets the zone, so that it is put back here."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone rather than guess one."""
        if value is None:
            return None
        if value.tzinfo is None:
            message = f"a moment without a zone must not reach the database: {value}"
            raise ValueError(message)
        in_utc = value.astimezone(UTC)
        return in_utc.replace(tzinfo=None) if dialect.name == "sqlite" else in_utc

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


Name: Final = String(63).with_variant(String(63, collation="C"), "postgresql")
"""Names come in the same order from every database: by their characters, in no language."""

farm = Table(
    "farm",
    metadata,
    # The primary key is always this one value: a database holds one farm.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("id", Uuid, nullable=False),
    Column("name", Name, nullable=False),
    Column("public_key", LargeBinary(32), nullable=False),
    Column("api_urls", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("former_api_urls", JSON, nullable=False, server_default=text("'[]'")),
    Column("revision", Integer, nullable=False, server_default=text("1")),
)

schema_gate = Table(
    "schema_gate",
    metadata,
    # One row, too: which releases work on the database, and which command lines.
    Column("singleton", Integer, primary_key=True, autoincrement=False),
    Column("readable_from", String(4), nullable=False),
    Column("oldest_console", Text),
)

site = Table(
    "site",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("subnets", JSON, nullable=False),
    Column("revision", Integer, nullable=False),
    # None for no limit.
    Column("bandwidth", JSON(none_as_null=True)),
)

collection = Table(
    "collection",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("site_id", Uuid, ForeignKey("site.id"), nullable=False, index=True),
    Column("description", Text, nullable=False),
    Column("revision", Integer, nullable=False),
)

store = Table(
    # "store" is the name of the folders, below.
    "named_store",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("default_path", Text),
    Column("shared", Boolean(create_constraint=False), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("copies", Integer),
    Column("copies_set_at", Instant),
    # A pass each 14 days at 8 MiB a second at the most; see the domain's ``ScrubPolicy``.
    Column("scrub_rate", BigInteger, nullable=False, server_default=text("8388608")),
    Column("scrub_every_seconds", Integer, nullable=False, server_default=text("1209600")),
)

server = Table(
    "server",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("listen", JSON, nullable=False),
    Column("advertised", JSON, nullable=False),
    Column("chunks_listen", String(64), nullable=False),
    Column("chunks_advertised", String(64), nullable=False),
    Column("token_digest", LargeBinary(32), nullable=False, unique=True),
    Column("added_at", Instant, nullable=False),
    Column("draining", Boolean(create_constraint=False), nullable=False),
    Column("reported_at", Instant),
    Column("reported_session_count", Integer),
    Column("reported_free_bytes", BigInteger),
    Column("reported_counters", JSON),
    Column("reported_clock_offset_ms", BigInteger),
    Column("reported_certificate_ends_at", Instant),
    Column("reported_requires_tls", Boolean(create_constraint=False)),
    Column("reported_chunks_require_tls", Boolean(create_constraint=False)),
    Column("reported_scrub", JSON(none_as_null=True)),
    Column("reported_refused", JSON(none_as_null=True)),
    Column("reported_release", Text),
    Column("reported_refusal", Text),
    Column("reported_releases", JSON(none_as_null=True)),
    Column("reported_generation", BigInteger),
    # No foreign key: SQLite cannot add one to a table that others point to.
    Column("site_id", Uuid, nullable=False, server_default=text(f"'{FIRST_SITE.id.hex}'")),
    Column("description", Text, nullable=False, server_default=text("''")),
    Column("management", String(64)),
    # In tenths, because SQLite has no decimal numbers.
    Column("power_tenths", Integer, nullable=False, server_default=text("10")),
    Column("max_devices", Integer),
    Column("max_devices_booting", Integer),
    Column("maintenance", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("subnets", JSON, nullable=False, server_default=text("'[]'")),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("relay", Boolean(create_constraint=False), nullable=False, server_default=false()),
)

former_server = Table(
    "former_server",
    metadata,
    Column("token_digest", LargeBinary(32), primary_key=True),
    Column("name", Name, nullable=False),
    Column("removed_at", Instant, nullable=False),
)

store_folder = Table(
    # The name is from when a store was one folder of one server; what became of stores is above.
    "store",
    metadata,
    # As written in the folder: servers that share one have the same.
    Column("id", Uuid, nullable=False, index=True),
    Column("server_id", Uuid, ForeignKey("server.id"), primary_key=True),
    Column("path", Text, nullable=False),
    Column(
        "named_store_id",
        Uuid,
        ForeignKey("named_store.id"),
        nullable=False,
        index=True,
        server_default=text(f"'{FIRST_STORE.id.hex}'"),
    ),
)

image = Table(
    "image",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_number", Integer, nullable=False),
    Column("mode", String(16), nullable=False, server_default="shared"),
    Column("write_cache", String(32), nullable=False, server_default="device-ram"),
    Column("write_cache_limit_bytes", BigInteger),
    Column("write_cache_fallback", String(16), nullable=False, server_default="device-ram"),
    Column("pinned_number", Integer),
    # No foreign key: SQLite adds none to a table that others refer to.
    Column("only_server_id", Uuid),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("content", String(16), nullable=False, server_default="disk"),
)

former_image = Table(
    "former_image",
    metadata,
    Column("name", Name, primary_key=True),
    Column("last_number", Integer, nullable=False),
)

version = Table(
    "version",
    metadata,
    Column("image_id", Uuid, ForeignKey("image.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("root", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("signature", LargeBinary(64), nullable=False),
    Column("description", Text, nullable=False),
    Column("access", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("published_at", Instant, nullable=False),
    Column("release_at", Instant),
    Column("released_at", Instant),
    Column("changed_at", Instant),
    Column("changed_by", String(255), nullable=False, server_default=""),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Column("image_format", Integer, nullable=False, server_default=text("1")),
    Column("published_with", String(64), nullable=False, server_default=""),
    Column("guest_tools", String(64)),
    Index(None, "root"),
)

version_change = Table(
    "version_change",
    metadata,
    Column("image_id", Uuid, ForeignKey("image.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("by", String(255), nullable=False),
    Column("what", String(32), nullable=False),
    Column("note", Text, nullable=False),
)

overlay = Table(
    "overlay",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("image_id", Uuid, ForeignKey("image.id"), nullable=False, index=True),
    Column("number", Integer, nullable=False),
    Column("device_id", Uuid, ForeignKey("device.id"), nullable=False, index=True),
    Column("server_id", Uuid, ForeignKey("server.id"), nullable=False, index=True),
    Column("base", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("limit_bytes", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", String(255), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("opened_at", Instant),
    Column("promoted_by", String(255)),
    Column("promoted_to", String(16)),
    Column("release_at", Instant),
    Column("description", Text),
    Column("seen_at", Instant),
    Column("seen_condition", String(16)),
    Column("seen_written_bytes", BigInteger),
    Column("seen_allocated_bytes", BigInteger),
    Column("seen_clients", Integer),
    Column("seen_problem", Text),
    Column("sealed_root", String(64)),
    Column("sealed_bytes", BigInteger),
    Column("sealing_done_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("sealing_total_bytes", BigInteger, nullable=False, server_default=text("0")),
    Column("revision", Integer, nullable=False),
)

device_cache = Table(
    "device_cache",
    metadata,
    Column("device_id", Uuid, ForeignKey("device.id"), primary_key=True),
    Column("kind", String(32)),
    Column("limit_bytes", BigInteger),
    Column("fallback", String(16)),
    Column("used_kind", String(32)),
    Column("used_at", Instant),
    Column("used_limit_bytes", BigInteger),
    Column("used_bytes", BigInteger),
    Column("used_problem", Text),
)

replica = Table(
    "replica",
    metadata,
    Column("server_id", Uuid, ForeignKey("server.id"), primary_key=True),
    Column("root", String(64), primary_key=True),
    Column("wanted_at", Instant, nullable=False),
    Column("state", String(16), nullable=False),
    Column("done_bytes", BigInteger, nullable=False),
    Column("total_bytes", BigInteger, nullable=False),
    Column("fetched_bytes", BigInteger, nullable=False),
    Column("problem", Text, nullable=False),
    Column("reported_at", Instant),
    Column("completed_at", Instant),
    Column("doubt", BigInteger, nullable=False, server_default=text("0")),
    Column("by_hand", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("bytes_per_second", BigInteger, nullable=False, server_default=text("0")),
    Index(None, "root"),
)

device = Table(
    "device",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Name, nullable=False, unique=True),
    Column("mac", String(17), nullable=False, unique=True),
    Column("key_digest", LargeBinary(32), nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("write_cache", String(16), nullable=False),
    Column("image_id", Uuid, ForeignKey("image.id"), index=True),
    Column("assigned_at", Instant),
    Column("login_server_id", Uuid, ForeignKey("server.id")),
    Column("login_at", Instant),
    # No index: it is read with its device only.
    Column("login_image_id", Uuid, ForeignKey("image.id")),
    Column("login_address", Text),
    Column(
        "collection_id",
        Uuid,
        ForeignKey("collection.id"),
        nullable=False,
        index=True,
        server_default=text(f"'{FIRST_COLLECTION.id.hex}'"),
    ),
    Column("type", String(16), nullable=False, server_default=text("'production'")),
    Column("disabled", Boolean(create_constraint=False), nullable=False, server_default=false()),
    Column("description", Text, nullable=False, server_default=text("''")),
    Column("revision", Integer, nullable=False, server_default=text("1")),
    Index("ix_device_login", "login_server_id", "login_at"),
)

session = Table(
    "session",
    metadata,
    Column("server_id", Uuid, ForeignKey("server.id"), primary_key=True),
    # The place in the server's report: connections have no name of their own.
    Column("place", Integer, primary_key=True, autoincrement=False),
    # No foreign key: a ticket outlives its device, and the session with it.
    Column("device_id", Uuid),
    Column("export", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("connected_at", Instant, nullable=False),
    Column("sent_bytes", BigInteger, nullable=False),
    Column("read_at", Instant),
)

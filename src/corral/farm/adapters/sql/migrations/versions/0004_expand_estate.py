"""Sites, collections, stores of several servers, and what people say of servers and devices.

Whatever there was goes to the site, the collection and the store that every farm begins with; an
older release that still adds servers and devices puts them there, too, by the columns' defaults.
"""

from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

NAME = sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")

# The same in every farm, for ever.
SITE = UUID("c0441a10-0000-4000-8000-000000000001")
COLLECTION = UUID("c0441a10-0000-4000-8000-000000000002")
STORE = UUID("c0441a10-0000-4000-8000-000000000003")
FIRST = {"name": "default", "description": "", "revision": 1}


def upgrade() -> None:
    """Add the tables and columns, and let servers share a folder."""
    _add_places()
    _add_to_servers()
    _add_to_devices()
    _free_folders()


def _add_places() -> None:
    site = op.create_table(
        "site",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("subnets", sa.JSON, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_site_name"),
    )
    collection = op.create_table(
        "collection",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("site_id", sa.Uuid, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["site.id"], name="fk_collection_site_id"),
        sa.UniqueConstraint("name", name="uq_collection_name"),
    )
    op.create_index("ix_collection_site_id", "collection", ["site_id"])
    store = op.create_table(
        "named_store",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("default_path", sa.Text),
        sa.Column("shared", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_named_store_name"),
    )
    op.bulk_insert(site, [FIRST | {"id": SITE, "subnets": []}])
    op.bulk_insert(collection, [FIRST | {"id": COLLECTION, "site_id": SITE}])
    op.bulk_insert(store, [FIRST | {"id": STORE, "shared": False}])


def _add_to_servers() -> None:
    for column in (
        sa.Column("site_id", sa.Uuid, nullable=False, server_default=sa.text(f"'{SITE.hex}'")),
        sa.Column("description", sa.Text, nullable=False, server_default=sa.text("''")),
        sa.Column("management", sa.String(64)),
        sa.Column("power_tenths", sa.Integer, nullable=False, server_default=sa.text("10")),
        sa.Column("max_devices", sa.Integer),
        sa.Column("max_devices_booting", sa.Integer),
        sa.Column("maintenance", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("subnets", sa.JSON, nullable=False, server_default=sa.text("'[]'")),
        sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("1")),
    ):
        op.add_column("server", column)


def _add_to_devices() -> None:
    with op.batch_alter_table("device") as device:
        device.add_column(
            sa.Column(
                "collection_id",
                sa.Uuid,
                sa.ForeignKey("collection.id", name="fk_device_collection_id"),
                nullable=False,
                server_default=sa.text(f"'{COLLECTION.hex}'"),
            )
        )
        device.add_column(
            sa.Column("type", sa.String(16), nullable=False, server_default=sa.text("'production'"))
        )
        device.add_column(
            sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false())
        )
        device.add_column(
            sa.Column("description", sa.Text, nullable=False, server_default=sa.text("''"))
        )
        device.add_column(
            sa.Column("revision", sa.Integer, nullable=False, server_default=sa.text("1"))
        )
    op.create_index("ix_device_collection_id", "device", ["collection_id"])


def _free_folders() -> None:
    """Make the server the key of a folder, so that two servers may have the same folder."""
    op.create_table(
        "store_by_server",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("server_id", sa.Uuid, nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column(
            "named_store_id", sa.Uuid, nullable=False, server_default=sa.text(f"'{STORE.hex}'")
        ),
        sa.PrimaryKeyConstraint("server_id", name="pk_store"),
        sa.ForeignKeyConstraint(["server_id"], ["server.id"], name="fk_store_server_id"),
        sa.ForeignKeyConstraint(
            ["named_store_id"], ["named_store.id"], name="fk_store_named_store_id"
        ),
    )
    op.execute(
        "INSERT INTO store_by_server (id, server_id, path) SELECT id, server_id, path FROM store"
    )
    op.drop_table("store")
    op.rename_table("store_by_server", "store")
    op.create_index("ix_store_id", "store", ["id"])
    op.create_index("ix_store_named_store_id", "store", ["named_store_id"])

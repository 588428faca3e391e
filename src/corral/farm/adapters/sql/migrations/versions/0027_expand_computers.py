"""Users, what is assigned to them, and the computers that they use."""

import sqlalchemy as sa
from alembic import op

from corral.farm.adapters.sql.tables import Instant, Name

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the tables; a farm has no users and no computers at first."""
    _add_users()
    _add_computers()


def _add_users() -> None:
    op.create_table(
        "person",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("full_name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_person_name"),
    )
    op.create_table(
        "user_group",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_user_group_name"),
    )
    op.create_table(
        "user_group_member",
        sa.Column(
            "group_id",
            sa.Uuid,
            sa.ForeignKey("user_group.id", name="fk_user_group_member_group_id"),
            primary_key=True,
        ),
        sa.Column(
            "user_id",
            sa.Uuid,
            sa.ForeignKey("person.id", name="fk_user_group_member_user_id"),
            primary_key=True,
            index=True,
        ),
    )
    op.create_table(
        "image_assignment",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column(
            "image_id",
            sa.Uuid,
            sa.ForeignKey("image.id", name="fk_image_assignment_image_id"),
            nullable=False,
        ),
        sa.Column("holder_id", sa.Uuid, nullable=False, index=True),
        sa.Column("is_staged", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("assigned_at", Instant, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("image_id", "holder_id", name="uq_image_assignment_image_id"),
    )
    op.create_table(
        "image_policy",
        sa.Column(
            "image_id",
            sa.Uuid,
            sa.ForeignKey("image.id", name="fk_image_policy_image_id"),
            primary_key=True,
        ),
        sa.Column("memory_mib", sa.Integer, nullable=False),
        sa.Column("processors", sa.Integer, nullable=False),
        sa.Column("user_disk_bytes", sa.BigInteger, nullable=False),
        sa.Column("prove_within_seconds", sa.Integer, nullable=False),
        sa.Column("soak_seconds", sa.Integer, nullable=False),
        sa.Column("postpone_seconds", sa.Integer, nullable=False),
        sa.Column("starts_itself", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("is_disabled", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )


def _add_computers() -> None:
    op.create_table(
        "computer",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("name", Name, nullable=False),
        sa.Column("public_key", sa.LargeBinary(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("asked_for", sa.Text, nullable=False),
        sa.Column(
            "collection_id",
            sa.Uuid,
            sa.ForeignKey("collection.id", name="fk_computer_collection_id"),
            nullable=False,
            index=True,
        ),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("is_paused", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("bandwidth", sa.JSON(none_as_null=True)),
        sa.Column("attempts", sa.JSON, nullable=False),
        sa.Column("registered_at", Instant),
        sa.Column("kill_told_at", Instant),
        sa.Column("killed_at", Instant),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_computer_name"),
        sa.UniqueConstraint("public_key", name="uq_computer_public_key"),
    )
    op.create_table(
        "computer_user",
        sa.Column(
            "computer_id",
            sa.Uuid,
            sa.ForeignKey("computer.id", name="fk_computer_user_computer_id"),
            primary_key=True,
        ),
        sa.Column(
            "user_id",
            sa.Uuid,
            sa.ForeignKey("person.id", name="fk_computer_user_user_id"),
            primary_key=True,
            index=True,
        ),
    )
    op.create_table(
        "registration_code",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
        sa.Column("collection_id", sa.Uuid, nullable=False),
        sa.Column(
            "user_id",
            sa.Uuid,
            sa.ForeignKey("person.id", name="fk_registration_code_user_id"),
            index=True,
        ),
        sa.Column("uses_left", sa.Integer, nullable=False),
        sa.UniqueConstraint("digest", name="uq_registration_code_digest"),
    )
    op.create_table(
        "computer_check_in",
        sa.Column(
            "computer_id",
            sa.Uuid,
            sa.ForeignKey("computer.id", name="fk_computer_check_in_computer_id"),
            primary_key=True,
        ),
        sa.Column("sequence", sa.BigInteger, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("clock_offset_ms", sa.BigInteger),
        sa.Column("engine", sa.JSON, nullable=False),
        sa.Column("kit", sa.JSON, nullable=False),
        sa.Column("machines", sa.JSON, nullable=False),
    )
    op.create_table(
        "computer_event",
        sa.Column(
            "computer_id",
            sa.Uuid,
            sa.ForeignKey("computer.id", name="fk_computer_event_computer_id"),
            primary_key=True,
        ),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("image", sa.Text),
    )
    op.create_table(
        "computer_orders",
        sa.Column(
            "computer_id",
            sa.Uuid,
            sa.ForeignKey("computer.id", name="fk_computer_orders_computer_id"),
            primary_key=True,
        ),
        sa.Column("generation", sa.BigInteger, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("given_at", Instant, nullable=False),
        sa.Column("roots", sa.JSON, nullable=False),
    )

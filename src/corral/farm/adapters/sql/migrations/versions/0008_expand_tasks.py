"""Tasks with their logs, schedules, and the workers that run them. Older releases see none."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

NAME = sa.String(63).with_variant(sa.String(63, collation="C"), "postgresql")
INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Add the tables."""
    op.create_table(
        "task",
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        *_request(),
        sa.Column("schedule", NAME),
        sa.Column("origin", sa.String(127)),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("is_embedded", sa.Boolean, nullable=False),
        sa.Column("wish", sa.String(16), nullable=False),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("beats", sa.BigInteger, nullable=False),
        sa.Column("started_at", INSTANT),
        sa.Column("ended_at", INSTANT),
        sa.Column("progress", sa.JSON, nullable=False),
        sa.Column("waiting", sa.Text, nullable=False),
        sa.Column("not_before", INSTANT),
        sa.Column("failure_code", sa.String(63)),
        sa.Column("failure_message", sa.Text),
        sa.Column("result", sa.Text, nullable=False),
        sa.UniqueConstraint("origin", name="uq_task_origin"),
    )
    op.create_index("ix_task_state", "task", ["state"])
    op.create_table(
        "task_log",
        sa.Column("number", sa.BigInteger, autoincrement=False),
        sa.Column("place", sa.Integer, autoincrement=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("number", "place", name="pk_task_log"),
        sa.ForeignKeyConstraint(["number"], ["task.number"], name="fk_task_log_number"),
    )
    op.create_table(
        "task_schedule",
        sa.Column("name", NAME, primary_key=True),
        sa.Column("cron", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        *_request(),
        sa.Column("added_at", INSTANT, nullable=False),
        sa.Column("last_run_at", INSTANT),
    )
    op.create_table(
        "task_worker",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("servers", sa.JSON),
        sa.Column("seen_at", INSTANT, nullable=False),
    )


def _request() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("object", sa.Text, nullable=False),
        sa.Column("owner_kind", sa.String(16), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("arguments", sa.JSON, nullable=False),
        sa.Column("server", NAME),
    )

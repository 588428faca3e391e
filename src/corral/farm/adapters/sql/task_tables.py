"""The tables of tasks, their logs, schedules and workers; part of the same metadata."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Integer,
    String,
    Table,
    Text,
)

from corral.farm.adapters.sql.tables import Instant, Name, metadata

ORIGIN_LENGTH: Final = 127

task = Table(
    "task",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("object", Text, nullable=False),
    Column("owner_kind", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("owner_request", String(64)),
    Column("arguments", JSON, nullable=False),
    # By name, as people wrote it: a task outlives its server, and a log must say where it ran.
    Column("server", Name),
    Column("schedule", Name),
    Column("origin", String(ORIGIN_LENGTH), unique=True),
    Column("created_at", Instant, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("run", Integer, nullable=False),
    Column("is_embedded", Boolean(create_constraint=False), nullable=False),
    Column("wish", String(16), nullable=False),
    Column("worker", Text, nullable=False),
    Column("beats", BigInteger, nullable=False),
    Column("started_at", Instant),
    Column("ended_at", Instant, index=True),
    Column("progress", JSON, nullable=False),
    Column("waiting", Text, nullable=False),
    Column("not_before", Instant),
    Column("failure_code", String(63)),
    Column("failure_message", Text),
    Column("result", Text, nullable=False),
)

task_log = Table(
    "task_log",
    metadata,
    Column("number", BigInteger, ForeignKey("task.number"), primary_key=True, autoincrement=False),
    Column("place", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("text", Text, nullable=False),
)

task_schedule = Table(
    "task_schedule",
    metadata,
    Column("name", Name, primary_key=True),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("object", Text, nullable=False),
    Column("owner_kind", String(16), nullable=False),
    Column("owner", Text, nullable=False),
    Column("arguments", JSON, nullable=False),
    Column("server", Name),
    Column("added_at", Instant, nullable=False),
    Column("last_run_at", Instant),
)

task_worker = Table(
    "task_worker",
    metadata,
    Column("name", String(255), primary_key=True),
    # None: it reaches every server's store.
    Column("servers", JSON(none_as_null=True)),
    Column("seen_at", Instant, nullable=False),
    Column("account_problem", Text, nullable=False, server_default=""),
    Column("left_step", String(16), nullable=False, server_default=""),
)

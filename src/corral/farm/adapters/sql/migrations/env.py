"""Alembic's entry: run on the connection that ``schema.upgrade`` gives, in its transaction."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # The caller has begun the transaction, so that a migration is there whole or not at all.
    transactional_ddl=True,
)
context.run_migrations()

"""Alembic's entry: run on a connection, in its transaction, or as text for a database elsewhere."""

from alembic import context

given = context.config.attributes
if context.is_offline_mode():
    # Whoever frames the text says where its transaction begins.
    context.configure(
        dialect_name=given["dialect"],
        output_buffer=given["text"],
        literal_binds=True,
        transactional_ddl=False,
    )
else:
    context.configure(
        connection=given["connection"],
        # The caller has begun the transaction, so that a migration is there whole or not at all.
        transactional_ddl=True,
    )
context.run_migrations()

"""Alembic's entry point: migrates on the connection, and inside the transaction, of ``migrate.py``."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()

"""Alembic's entry: migrate on the connection, and inside the transaction, that ``migrate.py`` holds."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=False)
context.run_migrations()

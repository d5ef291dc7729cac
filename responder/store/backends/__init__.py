"""SQLite and PostgreSQL: connections, errors, dumps and notifications."""

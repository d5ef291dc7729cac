"""Durable state in SQLite or PostgreSQL, through SQLAlchemy Core: notifications, incidents, messages, diagnoses."""

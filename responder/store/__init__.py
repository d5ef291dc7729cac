"""What must survive: deliveries, incidents, messages and studies, in SQLite or PostgreSQL through SQLAlchemy Core."""

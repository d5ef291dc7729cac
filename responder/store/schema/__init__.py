"""Tables, migrations and the serialization of stored values."""

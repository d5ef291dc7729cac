"""Content of a message, independent of its channel."""

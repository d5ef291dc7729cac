"""What a message says, independent of its channel."""

"""The first stage: validate a payload, store it, and only then acknowledge it."""

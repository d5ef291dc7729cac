"""The first step: check that a body is a webhook we understand, keep it, and only then say so."""

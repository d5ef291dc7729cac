"""The runbooks: what is in them, so that rules and pages point at sections that exist."""

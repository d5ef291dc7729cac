"""Runbooks: files and sections that rules and pages can link to."""

"""Lint of runbooks: sections, steps, commands, links, contacts and dates."""

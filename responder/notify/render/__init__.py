"""Renders a report in the formats of the vendors."""

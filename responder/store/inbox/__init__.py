"""Received notifications and their triage history."""

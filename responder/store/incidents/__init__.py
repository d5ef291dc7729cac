"""Incidents, diagnoses, floods and heartbeats."""

"""Retention, statistics, schedules and clock correction."""

"""Triage: rules, alerts, the incident so far and the time give a decision with its reason. Pure."""

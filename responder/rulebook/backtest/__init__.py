"""Comparison of two rule sets over recorded notifications."""

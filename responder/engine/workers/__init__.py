"""Worker loops: triage, diagnosis, delivery, and what they share."""

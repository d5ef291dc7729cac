"""The third stage: run read-only probes in parallel under one deadline, and draw one conclusion."""

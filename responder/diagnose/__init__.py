"""The third step: run read-only probes at once under one deadline, and say in one sentence what they found."""

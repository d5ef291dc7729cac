"""What follows from decisions and findings: incidents, messages and probes to run. Pure, except for history."""

"""Effects of decisions and findings: incidents, messages and probes to run. Pure, except for reading histories."""

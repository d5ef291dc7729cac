"""Stand-ins for the outside world on loopback: PagerDuty, Slack and BUTTERFLY, for the demo, tests and benchmarks."""

"""Stand-ins and builders that only tests, fault runs and benchmarks use."""

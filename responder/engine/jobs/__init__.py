"""Jobs that the scheduler runs at an interval, on one replica at a time."""

"""What other rules would have made of the same history: compared a notification at a time, and counted."""

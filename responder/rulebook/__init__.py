"""Rule files: read with positions, checked as a whole, assembled into a rule book."""

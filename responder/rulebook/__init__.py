"""The rule files: read with positions, checked all at once, turned into one rule book."""

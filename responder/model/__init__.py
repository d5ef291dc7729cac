"""The nouns of the pipeline: frozen values that every stage understands. Standard library only, no I/O, no clock."""

"""Static analysis of rules: regular languages, matcher constraints and shadowed rules."""

"""Everything that holds an exchange, the reference or another, against the rules."""

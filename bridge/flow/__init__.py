"""The ways through the house: the only place where edges meet."""

"""The bridge on a clock of the tests' own."""

"""Network to Matrix: the pipeline and its steps."""

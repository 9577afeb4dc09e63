"""Matrix to network: the pipeline and its steps, and what becomes of a message."""

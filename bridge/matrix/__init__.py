"""The Matrix edge. Nothing is imported here, so that the front can load the endpoint alone."""

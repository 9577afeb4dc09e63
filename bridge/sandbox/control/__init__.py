"""The control API: how tests and demos make things happen."""

"""The container image and the compose file, run by a real Docker."""

"""The wire: published vectors, properties, evil input, and foreign implementations."""

"""Databases of earlier versions with work under way, and the world around them (README.md)."""

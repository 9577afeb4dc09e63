"""Tests of the Signal protocol: vectors, properties, limits, and the official library as the other end."""

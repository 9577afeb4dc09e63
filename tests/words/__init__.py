"""Tests of parsers, codecs and names."""

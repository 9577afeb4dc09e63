"""A self-hosted Matrix bridge to the EU's interop network."""

__version__ = "0.1.0"

"""The sandbox's I/O: the chat server, HTTP from and to the partner, the folder on disk."""

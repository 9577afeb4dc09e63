"""Rooms: where a user and the bot talk, and what was read in them."""

"""What a user says to the bot, and what the bot answers."""

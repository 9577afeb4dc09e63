"""The life of an account: enlisting, prekeys, reminders, leaving."""

"""The lives of an account, a message and a connection, each as one transition table."""

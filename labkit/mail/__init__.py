"""The lab's mail server: what it takes, how it can be made slow, what came in which second."""

"""The machine and the environment as they are: packages, limits, other users, how slow it is."""

"""What a cell shows: texts, curves, buttons, and errors in a few lines."""

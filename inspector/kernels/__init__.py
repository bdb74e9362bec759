"""The compiled inner loops and their plain twins."""

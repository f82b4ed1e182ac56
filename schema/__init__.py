"""What every room agrees on: the musical grid, chords, tokens, plans, messages and codes. Pure."""

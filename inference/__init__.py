"""Melodies and chords in, plans out: the model and everything that keeps it inside a frame."""

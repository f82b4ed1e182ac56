"""Corpora in, checkpoints out: every stage one linear runnable."""

"""The command line: the one room that may open every other's door."""

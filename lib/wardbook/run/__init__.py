"""Runs notebooks and turns what they leave into pages: it knows figures only by the files they wrote."""

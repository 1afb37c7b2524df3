"""Data set builders: recordings and pictures become training text."""

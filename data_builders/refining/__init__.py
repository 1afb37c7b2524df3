"""Refining: captions and instructions become short natural language, and are checked for truth."""

"""Posecodes: what joints say in words, and what words say about joints; nothing is written here."""

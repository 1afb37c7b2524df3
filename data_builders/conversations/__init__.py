"""Conversations about poses, with the calls that they need and what these come to."""

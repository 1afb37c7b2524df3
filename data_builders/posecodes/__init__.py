"""Texts by rules: captions of poses and instructions from one to another, out of posecodes."""

"""The pose language model."""

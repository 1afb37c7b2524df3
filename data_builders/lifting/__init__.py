"""Where lifters learn from: recordings seen by published cameras, and public data sets."""

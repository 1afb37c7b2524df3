"""One program per training stage."""

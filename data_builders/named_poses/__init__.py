"""The library of named poses: text files of constraints, and a solver that makes poses of them."""

"""The `unipose` command and the terminal chat, on top of everything else."""

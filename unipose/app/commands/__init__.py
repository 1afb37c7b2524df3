"""One file per word of the `unipose` command. Light to import: heavy parts wait for the work."""

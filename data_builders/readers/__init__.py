"""Public data sets as typed records, read lazily; `registry` lists them and opens one by name."""

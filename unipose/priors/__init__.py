"""Other models, asked in words: an endpoint, or a language model on this machine."""

"""A pose becomes a short string of codes and back."""

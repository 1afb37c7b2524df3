"""What can be said of a pose and measured on it."""

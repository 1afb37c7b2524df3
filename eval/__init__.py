"""One program per benchmark."""

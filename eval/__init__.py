"""One program per benchmark."""

from unipose.app.installation import tell_missing_packages

tell_missing_packages()

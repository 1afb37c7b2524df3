"""One program per training stage."""

from unipose.app.installation import tell_missing_packages

tell_missing_packages()

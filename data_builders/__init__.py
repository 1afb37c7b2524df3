"""Data set builders: recordings and pictures become training text."""

from unipose.app.installation import tell_missing_packages

tell_missing_packages()

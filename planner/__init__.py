"""What fits on which GPUs, before anything is downloaded or trained."""

from unipose.app.installation import tell_missing_packages

tell_missing_packages()

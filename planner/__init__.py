"""What fits on which GPUs, before anything is downloaded or trained."""

"""Contact priors: a model names touching body parts, the poses learn to agree (ProsePose)."""

"""The eyes: what a picture shows, as features for the language model and as poses."""

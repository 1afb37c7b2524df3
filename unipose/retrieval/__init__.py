"""Retrieval models: poses, pairs of poses and texts as points that lie close where they agree."""

"""Lifters: from 2D keypoints to 3D joints, with a loss that learns what poses look like."""

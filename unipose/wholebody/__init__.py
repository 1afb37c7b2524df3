"""Whole-body 2D keypoints of people in boxes: RTMPose and CIGPose."""

"""Faces over time: sources of frames, who is who from frame to frame, labels that hold still."""

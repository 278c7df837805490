"""Finding faces: detectors, the crops they give, and where a detector's file comes from."""

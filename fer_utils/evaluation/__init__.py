"""What scores on labelled examples are worth: metrics, intervals and tests, calibration, simulations.

Comes in: arrays of labels, scores and persons. Goes out: numbers with their intervals. No file is read here.
"""

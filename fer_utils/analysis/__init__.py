"""What is measured of data, of trained networks and of protocols, beyond their scores.

Comes in: datasets, records, and networks whose weights are at hand. Goes out: tables, and measurement records that
outlive the weights. Figures of them are drawn by `fer_utils.plots`.
"""

"""Drawn faces: nobody's picture, any number of people, and a known truth about each.

>>> from fer_utils.data import synthetic
>>> dataset = synthetic.faces(n_subjects=12)
>>> dataset.images.shape, dataset.images.dtype, len(set(dataset.subjects))
((252, 48, 48), dtype('uint8'), 12)

Comes in: a seed and `Controls`. Goes out: a `FaceDataset` in the form of CK+48 (subjects, sequences of three frames).
`controls` holds what can be asked for, `drawing` puts strokes on a canvas, `faces` makes datasets of them.
"""

from fer_utils.data.synthetic.faces import PROTOTYPES, Controls, faces, faces_with_attributes, identity

__all__ = ["PROTOTYPES", "Controls", "faces", "faces_with_attributes", "identity"]

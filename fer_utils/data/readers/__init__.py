"""One reader for each dataset, and what they share: trees of folders, tables, archives, images, the cache.

Comes in: a file or folder in any usual layout (`reports/layouts.md`). Goes out: a `FaceDataset`, or a refusal that
names the true cause. `load` in `fer_utils.data` chooses the reader.
"""

"""Files as such, whatever is in them: written whole or not at all, read within limits, locked; the study's own folders.

Comes in: paths and bytes. Goes out: bytes that are complete, or an error that names the file. Knows nothing of faces.
"""

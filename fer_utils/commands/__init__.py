"""The command line by topic: what each command takes and calls. `fer_utils.__main__` puts them together.

Comes in: arguments as typed. Goes out: printed lines and an exit code; all work is done in the other rooms, imported
when a command is run, so that `predict` needs none of the study's libraries.
"""

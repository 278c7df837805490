"""What the five reports claim, what the records answer, and the pages that are written from both.

Comes in: committed records, and the reports' own numbers (`claims`). Goes out: verdicts, tables, README's results, the
model card and the first figure. Nothing measured is typed in here: what no record holds is "not measured".
"""

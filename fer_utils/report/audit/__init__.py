"""The five reports, held against themselves and against the records: what they claim, and whether it can be so.

`claims` are their numbers, each with its place; `verdicts` sets them beside what was measured; `contradictions` and
`granularity` say what does not fit together, whatever was measured; `counterparts` maps their figures and tables to
ours.
"""

"""MIMIC-IV and MIMIC-IV-ED as PhysioNet hands them out -> the cohort of Diff-Joint, appendix C.2.

Nothing about a single patient leaves the output folder: what is said, logged or raised are counts and names of
tables and columns.
"""

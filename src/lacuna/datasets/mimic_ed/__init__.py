"""MIMIC-IV-ED as Diff-Joint uses it, appendix C.2: 30 columns, their scores and their meaningful missingness."""

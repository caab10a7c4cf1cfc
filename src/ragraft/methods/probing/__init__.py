"""Probes made of the exam's own questions: one ability or habit at a time, behind the one table of `table.py`."""

"""How lessons are made: a module a training method, behind the one table of `table.py`."""

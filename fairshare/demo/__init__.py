"""The demo: a whole federation of real processes on one machine, some of them lying."""

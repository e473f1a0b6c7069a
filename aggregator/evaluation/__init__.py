"""The pure core of a round: no web, no database, no chain, no clock, no file. The same inputs give the same outcome."""

"""What coalitions of updates are worth: many models that differ only in which updates they contain, evaluated together."""

"""Laws are checked on the same examples in every run, and never fail for being slow on a busy machine."""

from hypothesis import settings

settings.register_profile("deterministic", derandomize=True, deadline=None)
settings.load_profile("deterministic")

"""The durable shell around the evaluation: it opens, collects, settles and serves rounds, and survives being killed."""

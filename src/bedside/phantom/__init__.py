"""Synthetic abdominal CT with known truth, for the demo, training, and proofs of geometry."""

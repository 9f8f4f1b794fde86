"""Judging: a reviewer accepts, rejects, remarks on or corrects a result, and what all of that adds up to."""

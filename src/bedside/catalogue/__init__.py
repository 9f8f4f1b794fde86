"""Keeps the catalogue of instances in step with arrivals and results, in the background or when asked.

Owns what is read of files for it, and nothing of how it is asked: that is HTTP's.
"""

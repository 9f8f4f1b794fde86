"""Sending studies from a browser or a script, in parts that survive a cut line, until they are read."""

"""Operating a deployment: what it does, what needs a look, and what an engineer may change.

Nothing on these pages tells who a patient is. Somebody with the right at some nodes sees the figures and
dead jobs of those; what is about the whole deployment needs the right at the root.
"""

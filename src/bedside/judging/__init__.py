"""What reviewers make of results: verdicts, corrections beside the model's masks, and what they add up to.

Knows results, never how they are shown. A judgement changes nothing that a model wrote: both versions stay.
"""

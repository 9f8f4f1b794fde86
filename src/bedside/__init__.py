"""bedside: from bench to bedside.

Puts a medical-imaging model into production and lets it read every study that arrives.
"""

__version__ = "0.1.0"

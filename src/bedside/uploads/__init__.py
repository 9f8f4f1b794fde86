"""Uploads of studies in parts: taking them, giving them to the drop-box, and saying what became of them."""

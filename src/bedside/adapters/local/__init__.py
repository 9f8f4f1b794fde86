"""One machine: a folder as store and drop-box, the system clock."""

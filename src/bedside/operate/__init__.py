"""What whoever operates a deployment asks and does: figures, alarms, rules tried out, dead jobs sent again.

Owns the answers and no way of asking: pages, the API and commands say the same through it. It reads the
ledger and the store, and changes only what a person tells it to. Nothing here tells who a patient is:
values of attributes that do are withheld as everywhere.
"""

"""What somebody who follows studies wants to know: what is new, when it will end, and what they may do to it.

Owns what is worked out of the ledger for people, whoever shows it: the portal's pages, its API, its streams.
"""

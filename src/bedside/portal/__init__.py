"""Pages and API in a browser: what a clinician, an engineer and an administrator need, over one deployment.

Owns HTTP and nothing behind it: every area (a folder: studies, uploads, results, …) is a thin face over
the ledger, the store and the services below. Pages and API do the same through the same calls, so what
a page can do a script with a token can do. Pages are made on the server and ask nothing of any other host.
"""

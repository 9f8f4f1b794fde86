"""What bedside is about, as frozen values without I/O: studies, arrivals, rules, jobs, results.

Nothing here opens a file, reads a clock or imports a vendor's library; arrays are only named in
annotations. Everything else in the package may import this, and this imports nothing but errors.
"""

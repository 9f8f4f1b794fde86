"""OHIF's viewer beside our own: its files, the page that starts it in a tenant, and the links that open it.

It comes from npm into ``vendor/ohif`` (`tools/browser_ohif.py`) and is never the only place where a result
is seen: where it is missing, its links say so and lead to our own viewer. All its needs that go beyond
those of other pages (inline styles, WebAssembly) are allowed on its own answers, and nowhere else.
"""

"""``python -m bedside.runtime``: a model's process, spoken to on stdin and stdout."""

import os
import sys

from bedside.runtime.child import main

code = main()
sys.stderr.flush()
os._exit(code)  # the worker removes what is left; taking torch apart in order would cost it a second

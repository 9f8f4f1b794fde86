"""``python -m bedside.runtime``: a model's process, spoken to on stdin and stdout."""

import sys

from bedside.runtime.child import main

sys.exit(main())

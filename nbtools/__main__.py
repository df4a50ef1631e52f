"""`python -m nbtools`, where the command `nbtools` is not on the path."""

import sys

from nbtools.cli import main

sys.exit(main())

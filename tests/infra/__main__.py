import sys

from tests.infra.cli import main

sys.exit(main())

"""``python -m powerstage`` is the command line."""

from powerstage.cli import main

main()

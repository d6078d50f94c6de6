"""``python -m cli`` is ``carrierline``."""

from cli import main

main()

"""Sample lists of recipients, as untidy as real ones; no row is a real person's."""

from pathlib import Path
from typing import Final

CONTACTS: Final = Path(__file__).with_name("contacts.csv")
"""UTF-8 with a byte order mark, commas; recipients in many countries."""
CONTACTS_SEMICOLONS: Final = Path(__file__).with_name("contacts-semicolons.csv")
"""Windows-1252, semicolons; recipients in western Europe, as a spreadsheet saves them there."""

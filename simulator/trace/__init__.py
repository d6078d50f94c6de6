"""What crosses the links, for files, Wireshark, people and judges."""

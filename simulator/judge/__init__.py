"""What happened in numbers, what is expected of them, and what became of every message."""

"""One link: three tasks, none per message, and how its octets move."""

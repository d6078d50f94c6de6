"""SMPP 3.3, 3.4 and 5.0 without I/O, clock or logging: octets and time in, events and octets out, for both roles."""

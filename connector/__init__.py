"""Carrierline's connector: persistent SMPP binds behind a durable queue."""

__version__ = "0.1.0"

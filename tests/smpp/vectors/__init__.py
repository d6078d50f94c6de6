"""Vectors: octets and receipt texts with what they mean, and the check that we say the same.

``python -m tests.smpp.vectors FOLDER`` checks ``pdus.jsonl`` and ``receipts.jsonl`` of any folder in this format.
"""

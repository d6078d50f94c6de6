"""Simulated worlds: whole lives of the production engine, each drawn from a seed, judged by the invariants."""

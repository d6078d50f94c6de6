"""How a number of places is shared: by weight, with what fractions are left over kept for the next time.  Pure."""

from collections.abc import Collection, Mapping


def apportion(total: int, weights: Mapping[str, float], carry: dict[str, float]) -> dict[str, int]:
    """Share ``total`` places by weight; ``carry`` keeps each one's fraction for the next time."""
    whole = sum(weights.values())
    exact = {name: total * weight / whole + carry.get(name, 0.0) for name, weight in weights.items()}
    shares = {name: max(0, int(value)) for name, value in exact.items()}
    spare = total - sum(shares.values())
    for name in sorted(exact, key=lambda name: shares[name] - exact[name])[: max(0, spare)]:
        shares[name] += 1
    for name, value in exact.items():
        carry[name] = value - shares[name]
    return shares


def forget(carry: dict[str, float], waiting: Collection[str]) -> None:
    """Drop the fractions of those for whom nothing waits: idleness earns nothing."""
    for name in [name for name in carry if name not in waiting]:
        del carry[name]

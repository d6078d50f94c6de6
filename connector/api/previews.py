"""What a dry run found out, as JSON shows it."""

from collections.abc import Sequence
from typing import Any

import attrs

from connector.api.schemas import show_moment
from connector.pipeline.preview import Candidate, Preview


def show_previews(previews: Sequence[Preview]) -> dict[str, Any]:
    """Return the previews of a list, each with its row, and how many would be accepted."""
    accepted = sum(preview.accepted for preview in previews)
    return {
        "accepted": accepted,
        "refused": len(previews) - accepted,
        "previews": [{"row": row, **show_preview(preview)} for row, preview in enumerate(previews)],
    }


def show_preview(preview: Preview) -> dict[str, Any]:
    """Return what would become of one row; null is what was not found out, or nobody knows."""
    return {
        "status": "accepted" if preview.accepted else "refused",
        "reason": preview.reason,
        "field": preview.field,
        "detail": preview.text,
        "to": preview.to,
        "country": preview.country,
        "lane": preview.lane,
        "from": preview.sender,
        "from_given_by": preview.sender_from,
        "alphabet": preview.alphabet,
        "forced_by": list(preview.forced_by),
        "parts": preview.parts,
        "leaves_at": show_moment(preview.leaves_at),
        "quiet_until": show_moment(preview.quiet_until),
        "deadline": show_moment(preview.deadline),
        "route": preview.rule,
        "carriers": [_show_candidate(candidate) for candidate in preview.routes],
        "rules": [looked._asdict() for looked in preview.rules],
        "checks": [{"name": check.name, "passed": check.passed, "detail": check.text} for check in preview.checks],
    }


def _show_candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.carrier,
        "price": candidate.price,
        "cost": candidate.cost,
        "passed_over": candidate.passed_over,
        "present": None if candidate.outlook is None else attrs.asdict(candidate.outlook),
    }

"""The terms of a rollout as JSON: how people write them, and how they are kept.

Read strictly: a limit under a name that nobody knows would be a limit that nobody keeps.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from corral.farm.domain.errors import InvalidInputError
from corral.farm.domain.fields import Fields, read_object
from corral.farm.domain.rollout.gate import Gate
from corral.farm.domain.rollout.health import HealthLimits
from corral.farm.domain.rollout.wave import Wave, checked_waves

if TYPE_CHECKING:
    from collections.abc import Sequence

_MOST: Final = 1_000_000_000
DEFAULT_SILENCE: Final = timedelta(days=1)


class TermsInvalidError(InvalidInputError):
    """The terms of a rollout name waves with their gates, and only limits that there are."""

    code = "rollout-terms-invalid"

    def __init__(self, at: str, rule: str) -> None:
        super().__init__(
            f"the terms of the rollout are wrong at {at}: {rule}; 'corral rollout start --help'"
            " and the page 'rollouts' of the reference say what there is"
        )


@dataclass(frozen=True)
class Terms:
    """In which waves, and how each machine and each wave is judged."""

    waves: tuple[Wave, ...]
    health: HealthLimits = field(default_factory=HealthLimits)
    silent_after: timedelta = DEFAULT_SILENCE


def read_terms(text: str) -> Terms:
    """Read them; raises ``TermsInvalidError``, ``WavesInvalidError``, ``GateInvalidError``."""
    fields = read_object(text, TermsInvalidError)
    waves = tuple(_wave(one) for one in fields.objects("waves"))
    health = _health(fields.object("health")) if fields.has("health") else HealthLimits()
    silent_after = _seconds(fields, "silent_after_seconds", DEFAULT_SILENCE)
    fields.finish()
    return Terms(checked_waves(waves), health, silent_after)


def written_terms(terms: Terms) -> str:
    """Give the text that ``read_terms`` reads as these."""
    return json.dumps(
        {
            "waves": [_wave_as_json(wave) for wave in terms.waves],
            "health": {
                "boot_percent": terms.health.boot_percent,
                "boot_slack_seconds": int(terms.health.boot_slack.total_seconds()),
                "extra_restarts": terms.health.extra_restarts,
            },
            "silent_after_seconds": int(terms.silent_after.total_seconds()),
        }
    )


def _wave(fields: Fields) -> Wave:
    wave = Wave(
        fields.text("name", 63),
        fields.number("upto_percent", 1, 100) if fields.has("upto_percent") else None,
        frozenset(_names(fields)),
        _gate(fields.object("gate")) if fields.has("gate") else Gate(),
    )
    fields.finish()
    return wave


def _names(fields: Fields) -> Sequence[str]:
    names = fields.texts("ring")
    if len(set(names)) < len(names):
        fields.refuse("ring", "a name stands there twice")
    return names


def _gate(fields: Fields) -> Gate:
    usual = Gate()
    gate = Gate(
        _number(fields, "min_sample", usual.min_sample),
        _number(fields, "min_proven_percent", usual.min_proven_percent),
        _number(fields, "max_failures", usual.max_failures),
        _number(fields, "max_failed_percent", usual.max_failed_percent),
        _seconds(fields, "soak_seconds", usual.soak),
    )
    fields.finish()
    return gate


def _health(fields: Fields) -> HealthLimits:
    usual = HealthLimits()
    limits = HealthLimits(
        _number_or_nothing(fields, "boot_percent", usual.boot_percent),
        _seconds(fields, "boot_slack_seconds", usual.boot_slack),
        _number_or_nothing(fields, "extra_restarts", usual.extra_restarts),
    )
    fields.finish()
    return limits


def _number(fields: Fields, name: str, usual: int) -> int:
    return fields.number(name, 0, _MOST) if fields.has(name) else usual


def _number_or_nothing(fields: Fields, name: str, usual: int | None) -> int | None:
    """Take a number, or nothing where somebody wrote ``null``: it is not looked at."""
    if not fields.has(name):
        return usual
    return fields.number_or_null(name, 0, _MOST)


def _seconds(fields: Fields, name: str, usual: timedelta) -> timedelta:
    return timedelta(seconds=fields.number(name, 0, _MOST)) if fields.has(name) else usual


def _wave_as_json(wave: Wave) -> dict[str, object]:
    gate = wave.gate
    who = {"ring": sorted(wave.ring)} if wave.ring else {"upto_percent": wave.upto_percent}
    return {
        "name": wave.name,
        **who,
        "gate": {
            "min_sample": gate.min_sample,
            "min_proven_percent": gate.min_proven_percent,
            "max_failures": gate.max_failures,
            "max_failed_percent": gate.max_failed_percent,
            "soak_seconds": int(gate.soak.total_seconds()),
        },
    }

"""A value nobody may read by accident: a token, a key, an address that holds one."""

from __future__ import annotations

from dataclasses import dataclass, field

MASK = "***"


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """Shown as ``***`` wherever it is printed; ``reveal`` gives the value to the one place that sends it."""

    _value: str = field(repr=False)

    def reveal(self) -> str:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return MASK

    def __str__(self) -> str:
        return MASK


def scrub(text: str, secrets: tuple[Secret, ...]) -> str:
    """``text`` with every secret's exact value replaced by the mask; empty secrets are ignored."""
    for secret in sorted(secrets, key=lambda each: -len(each.reveal())):
        if secret.reveal():
            text = text.replace(secret.reveal(), MASK)
    return text

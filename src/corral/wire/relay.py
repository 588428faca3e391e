"""What a relay and its farm, or a relay and an engine, say beside what is signed."""

from typing import Final

COMPUTER_KEY_HEADER: Final = "X-Corral-Computer-Key"
"""In the farm's answer to a check-in: the computer's public key in Base64, by which a relay tells
who asks while it cannot ask the farm."""

RELAYED_HEADER: Final = "X-Corral-Relayed"
"""In a relay's answer: ``carried``, or ``kept; issued_at=SECONDS`` where the farm did not answer
and these are the last orders that the relay has. What was said with that check-in the farm has not
heard yet: whoever said it says it again."""
KEPT: Final = "kept"

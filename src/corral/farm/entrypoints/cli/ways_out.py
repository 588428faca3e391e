"""Say what can be done about a release that waits for a server which nobody hears of."""

from corral.farm.domain.check.finding import Kind
from corral.farm.entrypoints.cli.output import print_line


def print_ways_out() -> None:
    """Print what the farm check would say."""
    print_line(f"To go on: {Kind.RELEASE_WAITS.way_out}.")

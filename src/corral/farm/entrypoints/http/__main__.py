"""``python -m corral.farm.entrypoints.http``; ``corral serve api`` becomes this."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from corral.farm.adapters import logs
from corral.farm.domain.estate.address import Address
from corral.farm.domain.estate.certificate import CertificateUnusableError
from corral.farm.entrypoints.http.certificate import OwnCertificate
from corral.farm.entrypoints.http.main import Speech, serve
from corral.farm.settings import FarmSettings

DEFAULT_LISTEN: Final = "127.0.0.1:10800"


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until told to stop; raises errors of the domain if it cannot start."""
    parser = argparse.ArgumentParser(prog="corral serve api", description="Serve the farm's API.")
    parser.add_argument("--farm", type=Path, help="the farm folder (CORRAL_FARM)")
    parser.add_argument("--listen", default=DEFAULT_LISTEN, metavar="HOST:PORT")
    speech = parser.add_mutually_exclusive_group()
    speech.add_argument("--tls", action="store_const", const=True, dest="tls")
    speech.add_argument("--plain", action="store_const", const=False, dest="tls")
    parser.add_argument("--certificate", type=Path, metavar="FILE")
    parser.add_argument("--key", type=Path, metavar="FILE")
    parser.add_argument("--name", action="append", default=[], metavar="HOST")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    chosen = parser.parse_args(arguments)
    logs.set_up(chosen.log_format)
    serve(FarmSettings.read(chosen.farm, os.environ), _speech(chosen))
    return 0


def _speech(chosen: argparse.Namespace) -> Speech:
    own = None
    if chosen.certificate is not None or chosen.key is not None:
        if chosen.certificate is None or chosen.key is None:
            reason = "its other half is missing"
            raise CertificateUnusableError(chosen.certificate or chosen.key, reason)
        if chosen.tls is False:
            reason = "--plain needs none"
            raise CertificateUnusableError(chosen.certificate, reason)
        own = OwnCertificate(chosen.certificate.absolute(), chosen.key.absolute())
    return Speech(Address.parse(chosen.listen), chosen.tls, own, tuple(chosen.name))


if __name__ == "__main__":
    sys.exit(main())

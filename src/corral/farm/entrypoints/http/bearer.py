"""Who is calling: the token in the ``Authorization`` header."""

from http import HTTPStatus
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from corral.farm.domain.access.token import Token

_scheme = HTTPBearer(auto_error=False, description="The token or key that the farm issued.")


def bearer(
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_scheme)],
) -> Token:
    """Read the token; raises ``TokenWrongError`` if it can be none."""
    if credentials is None:
        raise HTTPException(HTTPStatus.UNAUTHORIZED, "send 'Authorization: Bearer TOKEN'")
    return Token.parse(credentials.credentials)


Bearer = Annotated[Token, Depends(bearer)]

"""How the API server says no: an HTTP status and a sentence."""

from __future__ import annotations


class RefusalError(Exception):
    """A request that the API server refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(f"{status}: {message}")


def not_found(what: object) -> RefusalError:
    """404."""
    return RefusalError(404, f"{what} not found")


def conflict(message: str) -> RefusalError:
    """409: it exists already, or is not as the request says."""
    return RefusalError(409, message)


def invalid(message: str) -> RefusalError:
    """422: the object that would result is not allowed, or a patch cannot be applied."""
    return RefusalError(422, message)

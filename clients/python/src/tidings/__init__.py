"""The client of the push server Tidings: publishes, subscribes, reconnects, and resumes without a hole."""

from ._client import Client
from ._errors import TidingsError
from ._sign_in import Token
from ._subscription import Subscription
from ._values import Emptied, Gap, History, Limits, Publication, Published

__all__ = ["Client", "Emptied", "Gap", "History", "Limits", "Publication", "Published", "Subscription", "TidingsError", "Token"]

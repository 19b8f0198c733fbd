"""Times as S3 writes them: to try every form, as boto3 does, takes most of a long listing."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from botocore.utils import parse_timestamp


def read_time(text: str) -> datetime:
    """A time of a listing (ISO 8601) or of a header (HTTP); another form is left to boto3.

    Raises:
        ValueError, RuntimeError: it is none.
    """
    try:
        is_of_listing = text[:1].isdigit()
        time = datetime.fromisoformat(text) if is_of_listing else parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        time = parse_timestamp(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)

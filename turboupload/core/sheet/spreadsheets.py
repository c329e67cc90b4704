"""What spreadsheets make of ids: dates, numbers and errors in place of what was typed.

A cell with `3-11` becomes a date, `12E9` a number, and a formula's fault an error value; saved as
CSV, that is all that is left of the id. A read set can't be renamed, so such an id is questioned.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ODD_ID_HINT", "odd_id"]

_MONTH = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mrz|mai|okt|dez"
_DATE: Final = re.compile(
    r"\d{1,2}/\d{1,2}/(?:\d{2}|\d{4})|\d{1,2}\.\d{1,2}\.\d{4}|\d{4}-\d{2}-\d{2}"
    rf"|\d{{1,2}}(?:[-. ]|\. )(?:{_MONTH})\.?(?:[- ]\d{{2,4}})?|(?:{_MONTH})[- ]\d{{2,4}}",
    re.IGNORECASE,
)
# Excel writes the exponent's sign, which a person's own 2E10 (plate 2, well E10) has not.
_NUMBER: Final = re.compile(r"-?\d+(?:[.,]\d+)?E[+-]\d+", re.IGNORECASE)
_ERROR: Final = re.compile(r"#(?:N/A|NAME\?|REF!|VALUE!|NUM!|NULL!|DIV/0!|#+)|#{3,}", re.IGNORECASE)

ODD_ID_HINT: Final = (
    "put the id back as it was (in the spreadsheet, format the column as text first); if it is the "
    "id, add --odd-ids"
)


def odd_id(value: str) -> str | None:
    """What a spreadsheet may have made of an id, as words for it; None where nothing looks so."""
    if _DATE.fullmatch(value):
        return "a date"
    if _NUMBER.fullmatch(value):
        return "a rounded number"
    return "an error value" if _ERROR.fullmatch(value) else None

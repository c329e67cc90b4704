"""Which sequence store a name means."""

import pytest

from turboupload.core.records import SequenceStoreDetails
from turboupload.core.store_names import only_store_called
from turboupload.errors import ConfigError


def rows(*names: str) -> list[SequenceStoreDetails]:
    return [
        SequenceStoreDetails(store_id=f"123456789{number}", name=name)
        for number, name in enumerate(names)
    ]


def test_names_are_compared_whole() -> None:
    assert only_store_called("lab", rows("lab-old", "lab", "Lab"), "eu-west-1") == "1234567891"


@pytest.mark.parametrize(
    ("names", "said", "advised"),
    [
        ((), "no sequence store in eu-west-1 is called 'lab'", "stores list"),
        (("lab-old", "Lab"), "no sequence store in eu-west-1 is called 'lab'", "stores list"),
        (("lab", "lab"), "2 sequence stores are called 'lab': 1234567890, 1234567891", "the id"),
    ],
)
def test_a_name_that_means_no_store_or_several_is_refused(
    names: tuple[str, ...], said: str, advised: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        only_store_called("lab", rows(*names), "eu-west-1")
    assert caught.value.message == said
    assert advised in (caught.value.hint or "")

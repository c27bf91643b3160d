"""Names that columns and kinds of event go by in the world, and what each is here."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Final
from zlib import crc32

from features.schema.declarations import NAME
from features.schema.event_kinds import ValueKind

USER: Final = (
    "userid",
    "user",
    "visitorid",
    "visitor",
    "customerid",
    "customer",
    "clientid",
    "accountid",
    "uid",
    "memberid",
    "viewerid",
    "viewer",
    "readerid",
    "reader",
    "listenerid",
    "subscriberid",
    "shopperid",
)
ITEM: Final = (
    "itemid", "item", "productid", "product", "movieid", "articleid", "article", "videoid", "video", "newsid", "sku", "asin",
    "contentid", "trackid", "songid", "bookid", "offerid",
)  # fmt: skip
TIME: Final = (
    "timestamp", "ts", "time", "eventtime", "eventtimestamp", "datetime", "date", "createdat", "occurredat", "unixtime",
    "timestampms", "viewedat", "watchedat", "readat", "clickedat", "playedat", "purchasedat", "orderedat", "startedat",
)  # fmt: skip
KIND: Final = (
    "type", "event", "eventtype", "eventname", "behavior", "behaviour", "behaviortype", "behaviourtype", "action", "actiontype",
    "kind", "interaction", "interactiontype", "feedbacktype",
)  # fmt: skip
EVENT: Final = ("eventid", "eventuuid", "messageid", "insertid")
STARS: Final = ("rating", "stars")
VALUE: Final[Mapping[ValueKind, tuple[str, ...]]] = {
    "stars": (*STARS, "value"),
    "money": ("price", "amount", "revenue", "total", "money", "value"),
    "quantity": ("quantity", "qty", "count", "number", "value"),
    "seconds": ("duration", "seconds", "dwell", "dwelltime", "watchtime", "readtime", "listenseconds", "value"),
}
"""Columns that a kind's value may stand in, by what its value is; the first that a file has counts."""
CONTEXT: Final = (
    "device", "devicetype", "devicecategory", "platform", "os", "operatingsystem", "browser", "app", "channel", "medium",
    "trafficsource", "pagetype", "placement", "surface", "daypart", "timeofday", "locale", "language", "country", "region",
)  # fmt: skip
"""Columns of events that say in what circumstances somebody acted."""
ITEM_ID: Final = (*ITEM, "id")
COORDINATES: Final = ("place", "location", "position", "coordinates", "coords", "geo", "latlon", "latlng")
"""Ends of names of columns whose two numbers are latitude and longitude."""
PERSONAL: Final = (
    "name",
    "mail",
    "phone",
    "mobile",
    "address",
    "street",
    "ssn",
    "iban",
    "surname",
    "birthday",
    "birthdate",
)
"""Ends of names of columns that say who a user is."""
TITLE: Final = ("title", "name", "itemname", "productname", "movietitle", "headline", "label")
_KINDS: Final[Mapping[str, Sequence[str]]] = {
    "view": ("pv", "pageview", "productview", "itemview", "detailview", "detailpageview", "viewed", "views", "detail"),
    "click": ("clicked", "clicks", "tap"),
    "add_to_cart": ("addtocart", "cart", "addcart", "basket", "addtobasket", "carts", "addedtocart"),
    "remove_from_cart": ("removefromcart", "removecart", "removefrombasket"),
    "purchase": ("transaction", "buy", "bought", "order", "ordered", "purchased", "purchases", "transactions", "orders", "sale"),
    "like": ("fav", "favorite", "favourite", "liked", "likes", "upvote", "thumbsup", "star"),
    "dislike": ("disliked", "downvote", "thumbsdown", "hate"),
    "rating": ("rate", "rated", "ratings", "review", "reviews"),
    "read": ("reads", "readarticle"),
    "watch": ("play", "played", "watched", "watches", "plays", "stream"),
    "share": ("shared", "shares"),
    "follow": ("followed", "subscribe", "subscribed"),
    "impression": ("impressions", "shown", "exposure", "displayed"),
}  # fmt: skip
_NAME_OF: Final = {word: name for name, words in _KINDS.items() for word in (name.replace("_", ""), *words)}

KIND_NAMES: Final = frozenset(_KINDS)
"""Kinds of event that some preset gives a meaning."""


def plain(name: str) -> str:
    """A column's or kind's name without what differs by taste.

    >>> plain("user_id"), plain("userId"), plain("user_id:token")
    ('userid', 'userid', 'userid')
    """
    return re.sub(r"[^a-z0-9]", "", name.partition(":")[0].lower())


def column_of(names: Sequence[str], known: Sequence[str]) -> str:
    """The column that goes by one of the known names, the earlier known the better; "" where none does.

    >>> column_of(["itemid", "visitorid"], USER)
    'visitorid'
    """
    by_name = {plain(name): name for name in reversed(names)}
    return next((by_name[each] for each in known if each in by_name), "")


def kind_name(raw: str) -> str:
    """What a schema would call a kind of event; "" where nothing is left of it.

    >>> kind_name("addtocart"), kind_name("Price Alert"), kind_name("2nd look"), kind_name("!")
    ('add_to_cart', 'price_alert', 'k_2nd_look', '')
    >>> kind_name("Gefällt mir"), kind_name("покупка")
    ('gefallt_mir', 'kind_719e545d')
    """
    if plain(raw) in _NAME_OF:
        return _NAME_OF[plain(raw)]
    words = _latin(raw, "kind")
    return (f"k_{words}" if words[:1].isdigit() else words)[:32]


def attribute_name(column: str) -> str:
    """What a schema would call the attribute of a column: what it is called, where an attribute may be called that.

    >>> attribute_name("Brand Name"), attribute_name("imageURL"), attribute_name("class:token_seq")
    ('brand_name', 'image_url', 'class')
    >>> attribute_name("price_"), attribute_name("Price_")
    ('price_', 'price')
    """
    if NAME.fullmatch(column):
        return column
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.partition(":")[0])
    name = _latin(words, "attribute") or "attribute"
    return (f"a_{name}" if name[0].isdigit() else name)[:32]


def _latin(name: str, what: str) -> str:
    """Small Latin letters, digits and _ of a name, without accents. A name with letters of another script becomes `what` and a
    number of its own, as nothing that is left of it would tell it from others."""
    letters = unicodedata.normalize("NFKD", name.strip().lower())
    if any(each.isalpha() and not unicodedata.name(each, "").startswith("LATIN ") for each in letters):
        return f"{what}_{crc32(name.encode()):08x}"
    return re.sub(r"[^a-z0-9]+", "_", "".join(each for each in letters if not unicodedata.combining(each))).strip("_")

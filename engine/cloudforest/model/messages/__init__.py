"""What travels on the service bus: requests, records, pages.

A request is a SCIM SearchRequest (RFC 7644, 3.4.3) with our extension; an answer is a
series of SCIM ListResponse pages with our extension, closed by one record. An object
out of scope crosses as its objectGUID, and none of its values.
"""

from __future__ import annotations

from cloudforest.model.messages.codec import (
    LIST_RESPONSE,
    SEARCH_REQUEST,
    SYNC_PAGE,
    SYNC_REQUEST,
    decode_page,
    decode_request,
    encode_page,
    encode_request,
)
from cloudforest.model.messages.pages import (
    Closing,
    Lookup,
    Page,
    SyncRequest,
    domain_id,
)
from cloudforest.model.messages.records import (
    Clause,
    Gone,
    InScope,
    Members,
    Moved,
    ObjectRecord,
    OutOfScope,
    Record,
    ScopeMembers,
    Unknown,
)

__all__ = [
    "LIST_RESPONSE",
    "SEARCH_REQUEST",
    "SYNC_PAGE",
    "SYNC_REQUEST",
    "Clause",
    "Closing",
    "Gone",
    "InScope",
    "Lookup",
    "Members",
    "Moved",
    "ObjectRecord",
    "OutOfScope",
    "Page",
    "Record",
    "ScopeMembers",
    "SyncRequest",
    "Unknown",
    "decode_page",
    "decode_request",
    "domain_id",
    "encode_page",
    "encode_request",
]

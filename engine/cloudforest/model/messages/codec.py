"""How requests and pages are written on the bus: SCIM messages with our extension."""

from __future__ import annotations

import msgspec

from cloudforest.model.messages.pages import Page, SyncRequest

SEARCH_REQUEST = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
LIST_RESPONSE = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
SYNC_REQUEST = "urn:cloudforest:2.0:SyncRequest"
SYNC_PAGE = "urn:cloudforest:2.0:SyncPage"


def encode_request(request: SyncRequest) -> bytes:
    return msgspec.json.encode(
        {
            "schemas": [SEARCH_REQUEST, SYNC_REQUEST],
            "attributes": sorted(
                {a for each in request.attributes.values() for a in each}
            ),
            SYNC_REQUEST: request,
        }
    )


def decode_request(data: bytes) -> SyncRequest:
    return msgspec.convert(msgspec.json.decode(data)[SYNC_REQUEST], SyncRequest)


def encode_page(page: Page) -> bytes:
    return msgspec.json.encode(
        {
            "schemas": [LIST_RESPONSE, SYNC_PAGE],
            "totalResults": len(page.records),
            "Resources": page.records,
            SYNC_PAGE: {
                "agent": page.agent,
                "request": page.request,
                "sequence": page.sequence,
                "cursor": page.cursor,
                "closing": page.closing,
            },
        }
    )


def decode_page(data: bytes) -> Page:
    message = msgspec.json.decode(data)
    return msgspec.convert(
        {**message[SYNC_PAGE], "records": message["Resources"]}, Page
    )

"""A SCIM server behind OAuth 2.0: scim2-server, with Authlib's authorization server.

`clients` may get tokens; a test may change their secrets.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import pytest
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    OAuth2Request,
    ResourceProtector,
    TokenMixin,
    grants,
)
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator, BearerTokenValidator
from scim2_models import UnauthorizedException
from scim2_server.applications.wsgi import WSGIApplication
from scim2_server.memory import InMemoryStorage
from tests.servers.scim_runner import provider_of_tests
from tests.servers.wsgi import served

NAME = "sync & co"
SECRET = "a secret: 100% + more"
"""Both contain characters that must be encoded."""
SCOPE = "scim"


@dataclass
class Client(ClientMixin):
    secret: str
    scope: str = SCOPE

    def check_client_secret(self, client_secret):
        return secrets.compare_digest(self.secret, client_secret)

    def check_endpoint_auth_method(self, method, _endpoint):
        return method == "client_secret_basic"

    def check_grant_type(self, grant_type):
        return grant_type == "client_credentials"

    def get_allowed_scope(self, scope):
        return scope or self.scope


@dataclass
class Token(TokenMixin):
    scope: str
    until: float

    def get_scope(self):
        return self.scope

    def is_expired(self):
        return time.monotonic() >= self.until

    def is_revoked(self):
        return False


class Request(OAuth2Request):
    """A WSGI request in the shape that Authlib reads."""

    def __init__(self, environ):
        headers = {"Authorization": environ.get("HTTP_AUTHORIZATION", "")}
        uri = "https://127.0.0.1" + environ["PATH_INFO"]
        super().__init__(environ["REQUEST_METHOD"], uri, headers=headers)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        self._form = dict(parse_qsl(environ["wsgi.input"].read(length).decode()))
        self.payload = BasicOAuth2Payload(self._form)

    @property
    def form(self):
        return self._form


class Issuer(AuthorizationServer):
    """Keeps every token, and records every answer."""

    def __init__(self, server):
        super().__init__(scopes_supported=[SCOPE, "other"])
        self.server = server
        generator = BearerTokenGenerator(
            lambda **_: secrets.token_urlsafe(16),
            expires_generator=lambda *_: server.lifetime,
        )
        self.register_token_generator("default", generator)
        self.register_grant(grants.ClientCredentialsGrant)

    def query_client(self, client_id):
        return self.server.clients.get(client_id)

    def save_token(self, token, _request):
        until = time.monotonic() + token["expires_in"]
        self.server.tokens[token["access_token"]] = Token(token["scope"], until)

    def send_signal(self, *_arguments, **_named):
        pass

    def create_oauth2_request(self, request):
        return Request(request)

    def handle_response(self, status, body, headers):
        self.server.answers.append(status)
        return status, body, headers


class Validator(BearerTokenValidator):
    def __init__(self, tokens):
        super().__init__()
        self.tokens = tokens

    def authenticate_token(self, token_string):
        return self.tokens.get(token_string)


class Protected(WSGIApplication):
    """scim2-server that requires a token of the scope."""

    def __init__(self, tokens):
        super().__init__(InMemoryStorage(), provider_of_tests())
        self.protector = ResourceProtector()
        self.protector.register_token_validator(Validator(tokens))

    def check_auth(self, request):
        headers = {"Authorization": request.header("Authorization")}
        asked = OAuth2Request("GET", "https://127.0.0.1", headers=headers)
        try:
            self.protector.validate_request([SCOPE], asked)
        except OAuth2Error as error:
            raise UnauthorizedException from error


@dataclass
class OAuthServer:
    """`answers` are the HTTP statuses of the token endpoint."""

    clients: dict[str, Client] = field(default_factory=dict)
    tokens: dict[str, Token] = field(default_factory=dict)
    answers: list[int] = field(default_factory=list)
    lifetime: int = 3600
    root: str = ""

    def __post_init__(self):
        self.clients[NAME] = Client(SECRET)
        self.issuer = Issuer(self)
        self.scim = Protected(self.tokens)

    @property
    def url(self):
        return f"{self.root}/v2"

    @property
    def token_url(self):
        return f"{self.root}/token"

    def expire(self):
        """Expire all tokens early."""
        for each in self.tokens.values():
            each.until = 0.0

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] != "/token":
            return self.scim(environ, start_response)
        status, body, headers = self.issuer.create_token_response(environ)
        start_response(f"{status} Said", list(headers))
        return [json.dumps(body).encode()]


@pytest.fixture
def oauth_server() -> Iterator[OAuthServer]:
    server = OAuthServer()
    with served(server) as port:
        server.root = f"http://127.0.0.1:{port}"
        yield server

"""A domain over LDAP, as declared by documents and by a host."""

from __future__ import annotations

from cloudforest.model.registration import (
    ActiveDirectory,
    Bind,
    Domain,
    SecretReference,
    Source,
    Tls,
)

NAME = "contoso.com"


def domain(**changes) -> Domain:
    tls = Tls(
        ca=changes.pop("ca", "certs/contoso.pem"),
        verify=changes.pop("verify", "on"),
        server_name=changes.pop("server_name", None),
    )
    fields = {
        "controllers": ("ldaps://dc1.contoso.com", "ldaps://dc2.contoso.com"),
        "tls": tls,
        "bind": Bind(
            username="svc-sync@contoso.com",
            password=SecretReference(file="secrets/contoso"),
        ),
    }
    directory = ActiveDirectory(**{**fields, **changes})
    return Domain(name=NAME, source=Source(active_directory=directory))

from __future__ import annotations

from cloudforest.agent.bindings import ActiveDirectoryBinding, HostBinding
from cloudforest.cli.local_agents import make_child_environment
from cloudforest.model.registration import SecretReference


def test_child_sees_only_the_variables_of_its_documents():
    binding = HostBinding(
        active_directory=ActiveDirectoryBinding(
            controllers=("ldaps://dc1",),
            username="svc",
            password=SecretReference(env="WANTED"),
            credential="contoso.com/bind",
        )
    )
    environment = {"WANTED": "1", "OTHER": "2", "PATH": "/bin", "HOME": "/root"}
    seen = make_child_environment([binding, HostBinding(ldif="a.ldif")], environment)
    assert seen == {"WANTED": "1", "PATH": "/bin"}

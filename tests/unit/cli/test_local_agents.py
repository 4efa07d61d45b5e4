from __future__ import annotations

from cloudforest.agent.bindings import Binding, DirectoryBinding
from cloudforest.cli.local_agents import environment_for
from cloudforest.model.registration import SecretReference


def test_a_child_sees_only_what_its_documents_name():
    binding = Binding(
        active_directory=DirectoryBinding(
            controllers=("ldaps://dc1",),
            username="svc",
            password=SecretReference(env="WANTED"),
            credential="contoso.com/bind",
        )
    )
    environment = {"WANTED": "1", "OTHER": "2", "PATH": "/bin", "HOME": "/root"}
    seen = environment_for([binding, Binding(ldif="a.ldif")], environment)
    assert seen == {"WANTED": "1", "PATH": "/bin"}

"""Names are unique where something refers to them."""

from __future__ import annotations

from collections.abc import Iterator

from cloudforest.compiler.document import Complaint, Document
from cloudforest.compiler.tree import LINE_LIMIT, Tree, built_in_mappings

NAMED = ("Target", "Forest", "Agent", "Scope", "Mapping", "Job", "Example")


def there_is_one_tenant(tree: Tree) -> Iterator[Complaint]:
    """Complain of every Tenant after the first; `compile` knows when there is none."""
    tenants = [each for each in tree.documents if each.kind == "Tenant"]
    for each in tenants[1:]:
        first = tenants[0].places.place(())
        message = f"The tree has a Tenant already, at {first}; keep one of the two."
        yield Complaint("second-tenant", message, each, ("name",))


def names_are_unique(tree: Tree) -> Iterator[Complaint]:
    for kind in NAMED:
        seen: dict[str, Document] = (
            dict(built_in_mappings()) if kind == "Mapping" else {}
        )
        for each in (one for one in tree.documents if one.kind == kind):
            if each.name in seen:
                yield _taken(each, seen[each.name])
            seen.setdefault(each.name, each)


def _taken(document: Document, first: Document) -> Complaint:
    built_in = first.name in built_in_mappings() and document.kind == "Mapping"
    where = "is built in" if built_in else f"is also at {first.places.place(('name',))}"
    message = (
        f'The {document.kind} "{document.name}" {where}; give this one another name.'
    )
    return Complaint("duplicate-name", message, document, ("name",))


def domains_are_in_one_forest(tree: Tree) -> Iterator[Complaint]:
    seen: dict[str, str] = {}
    for forest in (each for each in tree.documents if each.kind == "Forest"):
        for index, domain in enumerate(forest.content["domains"]):
            name = domain["name"].lower()
            path = ("domains", index, "name")
            place = forest.places.place(path)
            if name in seen:
                message = (
                    f'The domain "{name}" is also at {seen[name]}; '
                    "a domain belongs to one forest, so remove one of the two."
                )
                yield Complaint("domain-in-two-forests", message, forest, path)
            seen.setdefault(name, str(place))


def mappings_are_their_own_ancestors_never(tree: Tree) -> Iterator[Complaint]:
    for each in tree.of("Mapping"):
        seen = {each.name}
        parent = each.content.get("extends")
        while parent is not None and parent not in seen and len(seen) - 1 <= LINE_LIMIT:
            seen.add(parent)
            found = tree.mapping(parent)
            parent = found.content.get("extends") if found else None
        if parent == each.name:
            message = (
                f'The mapping "{each.name}" extends itself; '
                "let the first of the line extend a built-in mapping, or nothing."
            )
            yield Complaint("extends-itself", message, each, ("extends",))
        elif len(seen) - 1 > LINE_LIMIT:
            message = (
                f'The mapping "{each.name}" extends a line of more than {LINE_LIMIT} '
                "others; let it extend one of the first."
            )
            yield Complaint("too-deep", message, each, ("extends",))

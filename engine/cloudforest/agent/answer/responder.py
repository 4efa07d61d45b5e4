"""One answer: bind the question, read the directory, cut pages, close."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from cloudforest.agent.answer import changed, lookups
from cloudforest.agent.answer.pages import Pages
from cloudforest.agent.answer.question import Question, bind
from cloudforest.agent.answer.reach.binding import Rebound
from cloudforest.agent.answer.reach.forest import Forest, forest_of
from cloudforest.base.errors import CloudforestError, Refused
from cloudforest.model.messages import Closing, Page, Record, SyncRequest
from cloudforest.model.ports import Directory


def _records(question: Question) -> AsyncIterator[Record | Closing]:
    match question.request.kind:
        case "import":
            return changed.records(question)
        case "read":
            return lookups.records(question)


class Answer:
    """The Answerer of one agent, for the domains that it reads.

    An error of the directory is not raised: the closing record names it, after what had
    been read before, and says that the answer is not complete.
    """

    def __init__(
        self, agent: str, directories: Mapping[str, Directory], *, page_bytes: int
    ) -> None:
        self._agent = agent
        self._directories = directories
        self._page_bytes = page_bytes

    async def __call__(self, request: SyncRequest) -> AsyncIterator[Page]:
        pages = Pages(self._agent, request.id, self._page_bytes)
        closing = Closing(complete=False)
        try:
            question = await bind(request, self._forest(request.domain))
            async for said in _records(question):
                if isinstance(said, Closing):
                    await question.require_unmoved()
                    closing = said
                    continue
                for page in pages.add(said):
                    yield page
        except CloudforestError as error:
            final = isinstance(error, Rebound)
            closing = Closing(complete=False, error=str(error), final=final)
        for page in pages.close(closing):
            yield page

    def _forest(self, domain: str) -> Forest:
        forest = forest_of(domain, self._directories)
        if forest.home not in forest.directories:
            raise Refused(
                f"The agent {self._agent} does not read {domain}. Assign the domain to "
                "it, or ask another agent."
            )
        return forest

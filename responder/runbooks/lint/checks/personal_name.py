"""A runbook names a person, who sleeps, leaves or changes teams: name a role, a team or a channel.

Bad:

    # Service down

    ## Escalation

    After 15 minutes ask Maria Lopez (maria.lopez@example.org).

Good:

    # Service down

    ## Escalation

    After 15 minutes page the On-Call Secondary, or write to #sre-team.
"""

import re
from collections.abc import Iterator

from responder.model.problem import Level
from responder.runbooks.lint.contract import Finding, Runbook

#: Given names that are no other word in a runbook: not Mark, Will, Grant, May, Bill, Max, Frank, Jenkins, Ruby.
_GIVEN = (
    "Aaron Adam Ahmed Alan Alejandro Alessandro Alexander Alexandra Alice Amanda Amit Amy Ana Anders Andrea Andreas "
    "Andrew Andrey Angela Anil Anita Anna Anne Anton Antonio Arjun Barbara Ben Benjamin Bernd Brian Bruno Camille "
    "Carla Carlos Caroline Catherine Charles Chloe Chris Christian Christina Christine Christopher Claire "
    "Clara Claudia Daniel Daniela David Deepak Diego Dmitry Dominik Elena Elizabeth Emily Emma Eric Erik Ethan Eva "
    "Fatima Federico Felix Fernando Florian Francesca Francesco Franz Gabriel George Giulia Giuseppe Greg Hannah Hans "
    "Heidi Helen Henrik Hiroshi Hugo Ingrid Irina Isabel Ivan Jakub James Jamie Jane Jason Javier Jean Jeff "
    "Jennifer Jens Jessica Jim Joanna Joao Johan Johannes John Jonas Jonathan Jorge Joseph Josh Joshua Juan "
    "Julian Jürgen Karen Karl Katarina Katherine Kevin Klaus Lars Laura Lauren Leah Lena Linda Lisa Luca Lucas "
    "Lucia Luis Lukas Magnus Manuel Marco Marcus Margaret Maria Mariana Marie Mario Marta Martin Mary Mateo Matt "
    "Matteo Matthew Matthias Megan Mehmet Melissa Michael Michelle Miguel Mike Mohamed Mohammed Monica Nadia Natalia "
    "Nathan Neha Nicholas Nicolas Nicole Niklas Nina Olga Oliver Olivia Pablo Patricia Patrick Paul Paula Pavel Pedro "
    "Peter Petra Philip Pierre Piotr Priya Rachel Rafael Rahul Rajesh Raj Ravi Rebecca Ricardo Richard Robert Roberto "
    "Rohit Ryan Sabine Sam Samuel Sandra Sanjay Sara Sarah Satoshi Sebastian Sergei Sergey Silvia Simon Sofia Sophie "
    "Stefan Stephanie Stephen Steve Steven Sunil Susan Sven Tanja Teresa Thomas Tim Tobias Tomasz Tomas Tom Tony "
    "Ursula Valentina Vanessa Vijay Vikram Viktor Vladimir Wolfgang Yuki Yusuf Zoe"
)
_NAMES = _GIVEN.replace(" ", "|")
_PERSON = re.compile(
    rf"(?<![\w@#/.-])(?P<full>(?:{_NAMES}) [A-Z][a-zà-ÿ]{{1,20}}(?:-[A-Z][a-zà-ÿ]+)?)(?![\w/])"
    rf"|\b(?:[Aa]sk|[Cc]all|Contact|contact|[Pp]ing|[Pp]age|[Mm]ail|[Tt]ext|escalate to) (?P<asked>{_NAMES})(?![\w-])"
    rf"|(?<![\w.])(?P<mail>(?:{_NAMES.lower()})\.[a-zà-ÿ]{{2,20}}@[\w.-]+\.\w+)"
    rf"|(?<![\w.])(?P<account>@(?:{_NAMES.lower()})(?:\.[a-zà-ÿ]{{2,20}})?)(?![\w/-])"
)


def check(runbook: Runbook) -> Iterator[Finding]:
    """Yield each name of a person in the prose, but not those that the contacts of the rules have."""
    known = " ".join(runbook.catalog.contacts.values()) if runbook.catalog else ""
    for number, line in runbook.prose:
        for found in _PERSON.finditer(line):
            name = str(found[found.lastgroup or 0])
            if name not in known:
                said = f"'{name}' is a person"
                hint = "name a role, a team or a channel, which is answered at any time"
                yield Finding(number, found.start(found.lastgroup or 0) + 1, said, hint, Level.WARNING)
